"""A classifier that counts words, as a baseline that needs no model.

It reads the labels from the prompt, one a line: `- label: description` or `- label`, and the
text to classify: what follows the last line that begins with `Message:`, else the last user
message. The answer is the label whose name and description share the most different words with
the text (lower case, endings cut off, stop words left out). The first of equals wins; with
nothing in common it is the last label, where prompts tend to put "other".
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from assay.gateway.types import Message, text_of

_LABEL = re.compile(r"^\s*[-*•]\s+[`\"']?([^\W\d_][\w /-]{0,59}?)[`\"']?\s*(?::\s*(.*))?$", re.M)
_MESSAGE = re.compile(r"^\s*Message:", re.M)
_WORD = re.compile(r"[^\W\d_]{2,}")
_MOST_WORDS_OF_A_LABEL = 4
_NO_LABELS = "no labels found in the prompt: write one a line, as - label: description"

_WORDS = re.compile(r"\w+")
_ENDINGS = _WORDS.findall(
    "ations ation ments ment ingly ings ing edly ied ies ed es ers er ly s y e"
)
_STEM_LETTERS = 3
_STOP_WORDS = frozenset(
    _WORDS.findall(
        "a about after all also an and any are as at be because been but by can could did do does"
        " for from get had has have he her his how i if in into is it its just me more my no not"
        " of on or other our out she so some than that the their them then there they this to too"
        " up us was we were what when where which who will with would you your"
    )
)


def classify(messages: list[Message]) -> str:
    """The label that shares the most words with the text to classify."""
    prompt, text = _parts(messages)
    labels = _labels(prompt)
    if not labels:
        return _NO_LABELS
    said = set(_stems(text))
    scores = [len(said & keywords) for _, keywords in labels]
    best = max(scores)
    return labels[scores.index(best) if best else -1][0]


def first_label(messages: list[Message]) -> str:
    """The first label of the prompt, whatever the text."""
    labels = _labels(_parts(messages)[0])
    return labels[0][0] if labels else _NO_LABELS


def _parts(messages: list[Message]) -> tuple[str, str]:
    """The prompt with the labels, and the text to classify."""
    whole = "\n".join(text_of(message) for message in messages)
    marks = list(_MESSAGE.finditer(whole))
    if marks:
        return whole[: marks[-1].start()], whole[marks[-1].end() :]
    asked = [text_of(message) for message in messages if message["role"] == "user"]
    return whole, _LABEL.sub("", asked[-1]) if asked else ""


@lru_cache(maxsize=32)
def _labels(prompt: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Each label with the stems that speak for it."""
    return tuple(
        (name, frozenset(_stems(f"{name} {description or ''}")))
        for name, description in _LABEL.findall(prompt)
        if len(name.split()) <= _MOST_WORDS_OF_A_LABEL
    )


def _stems(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.lower()):
        if word not in _STOP_WORDS:
            yield _stem(word)


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    """Cut one ending off, and one of a double consonant: `shipped` and `ships` are `ship`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM_LETTERS:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > _STEM_LETTERS and word[-1] == word[-2] else word
