"""Assertions on the words that an answer shares with a reference: `rouge-n` and `bleu`.

Both are small enough to be here. rouge-score and sacrebleu, the usual libraries, count other
words (rouge-score drops all marks and knows ASCII only, sacrebleu has tokenizers of its own) and
smooth otherwise, so their numbers are not those that a threshold in a promptfoo configuration was
chosen for.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue

from assay.grading.checks import TEXT, CheckFault, Spec, Test, Verdict, kind_of
from assay.grading.results import Answer
from assay.grading.text import text_of
from assay.grading.treebank import treebank_words

ROUGE_THRESHOLD = 0.75
BLEU_THRESHOLD = 0.5
"""What is enough where no threshold is given, as in promptfoo."""

_LONGEST = 4
_NO_MATCH = 1e-7
_TOLERANCE = 1e-9
# What JavaScript splits at, which is not quite what Python does.
_SPACES = re.compile("[\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")


def rouge_n(spec: Spec) -> Test:
    """The output shares enough words with the value: the F1 score of ROUGE-1."""
    reference = Counter(treebank_words(text_of(spec.value).lower()))
    enough = _enough(spec.threshold, ROUGE_THRESHOLD)

    def test(answer: Answer) -> Verdict:
        score = rouge_1(Counter(treebank_words(answer.output.lower())), reference)
        return _verdict("ROUGE-1", score, enough)

    return test


def bleu(spec: Spec) -> Test:
    """The output is made of the words and phrases of one of the references."""
    references = [words for text in _references(spec.value) if (words := _words(text))]
    enough = _enough(spec.threshold, BLEU_THRESHOLD)

    def test(answer: Answer) -> Verdict:
        return _verdict("BLEU", bleu_score(_words(answer.output), references), enough)

    return test


def rouge_1(candidate: Counter[str], reference: Counter[str]) -> float:
    """The F1 score of the words that two texts share, each counted as often as in both.

    C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", Text Summarization
    Branches Out (2004), 74-81, with n = 1 and the F-measure with beta = 1.

    Args:
        candidate: The words of the answer, with how often each occurs.
        reference: Those of the reference.

    Returns:
        From 0 to 1; 0 where a text has no words.
    """
    shared = (candidate & reference).total()
    if not shared:
        return 0.0
    precision = shared / candidate.total()
    recall = shared / reference.total()
    return 2 * recall * precision / (recall + precision)


def bleu_score(candidate: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU of one sentence.

    K. Papineni, S. Roukos, T. Ward and W.-J. Zhu, "BLEU: a method for automatic evaluation of
    machine translation", Proceedings of ACL (2002), 311-318: the geometric mean of the precisions
    of 1- to 4-grams, times a penalty for brevity. As in promptfoo, orders that are longer than the
    candidate are left out and the others share their weight, an order without a match counts as
    1e-7, and the matches of an order are those with the one reference that has most of them.

    Args:
        candidate: The words of the answer.
        references: The words of each reference.

    Returns:
        From 0 to 1; 0 where the candidate has no words or there is no reference.
    """
    if not candidate or not references:
        return 0.0
    length = len(candidate)
    orders = range(1, min(_LONGEST, length) + 1)
    mean_log = sum(math.log(_precision(candidate, references, n)) for n in orders) / len(orders)
    nearest = min(map(len, references), key=lambda other: (abs(other - length), other))
    brevity = 1.0 if length > nearest else math.exp(1 - nearest / length)
    return brevity * math.exp(mean_log)


def _precision(candidate: Sequence[str], references: Sequence[Sequence[str]], n: int) -> float:
    grams = _grams(candidate, n)
    shared = max((grams & _grams(reference, n)).total() for reference in references)
    return shared / grams.total() if shared else _NO_MATCH


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def _words(text: str) -> list[str]:
    return [word for word in _SPACES.split(text.lower()) if word]


def _references(value: JsonValue) -> list[str]:
    if not isinstance(value, list):
        return [text_of(value)]
    if not value:
        raise CheckFault("The list of references is empty.")
    for index, item in enumerate(value):
        if kind_of(item) not in TEXT:
            raise CheckFault("This must be text or a number.", f"value[{index}]")
    return [text_of(item) for item in value]


def _enough(threshold: float | None, default: float) -> float:
    if threshold is None:
        return default
    if threshold > 1:
        raise CheckFault("The threshold is a score from 0 to 1.", "threshold")
    return threshold


def _verdict(name: str, score: float, enough: float) -> Verdict:
    passed = score >= enough - _TOLERANCE
    comparison = "reaches" if passed else "is below"
    return Verdict(
        passed, score, f"The {name} score {score:.4f} {comparison} the threshold {enough:g}."
    )
