"""`similar`: whether an answer means what a text means, by their embeddings."""

from collections.abc import Callable
from typing import Any

from assay.grading.checks import TEXT, CheckFault, Verdict, kind_of, quoted
from assay.grading.judges.dialogue import TOLERANCE, Case, Dialogue, ask, reached
from assay.grading.judges.material import as_text
from assay.grading.judges.vectors import cosine, distance, dot
from assay.grading.questions import EmbeddingQuestion

DEFAULT_THRESHOLD = 0.75
Comparison = Callable[[Any, Any, float], tuple[bool, float, str]]
"""From two vectors and a threshold: whether they are near enough, the score, what was measured."""


def similar(case: Case) -> Dialogue:
    """The cosine of the angle between the embeddings of answer and value reaches the threshold."""
    return _compare(case, _by_cosine)


def similar_dot(case: Case) -> Dialogue:
    """The dot product of the embeddings reaches the threshold."""
    return _compare(case, _by_dot)


def similar_euclidean(case: Case) -> Dialogue:
    """The distance of the embeddings is at most the threshold."""
    return _compare(case, _by_distance)


def _compare(case: Case, compare: Comparison) -> Dialogue:
    expected = _texts(case)
    embedder = case.model("embedding")
    threshold = DEFAULT_THRESHOLD if case.threshold is None else case.threshold
    output = case.answer.output
    if not output.strip():
        # Providers refuse to embed nothing.
        return Verdict(False, 0.0, "The output is empty, which is like no text.")
    vectors = yield from ask(EmbeddingQuestion(embedder, expected, (output,)))
    best = None
    for text, vector in zip(expected, vectors, strict=False):
        near, score, measured = compare(vector, vectors[-1], threshold)
        score = min(1.0, max(0.0, score))
        reason = f"To {quoted(text, 60)} {measured}; the threshold is {threshold:g}."
        found = Verdict(near, score, reason)
        if near:
            return found
        if best is None or score > best.score:
            best = found
    assert best is not None
    return best


def _texts(case: Case) -> tuple[str, ...]:
    given = case.value if isinstance(case.value, list) else [case.value]
    for index, each in enumerate(given):
        if kind_of(each) not in TEXT or not as_text(each).strip():
            raise CheckFault("This must be text that is not empty.", f"value[{index}]")
    if not given:
        raise CheckFault("The list of values is empty.")
    return tuple(as_text(each) for each in given)


def _by_cosine(left: Any, right: Any, threshold: float) -> tuple[bool, float, str]:
    score = cosine(left, right)
    return reached(score, threshold), score, f"the similarity is {score:.2f}"


def _by_dot(left: Any, right: Any, threshold: float) -> tuple[bool, float, str]:
    score = dot(left, right)
    return reached(score, threshold), score, f"the dot product is {score:.2f}"


def _by_distance(left: Any, right: Any, threshold: float) -> tuple[bool, float, str]:
    length = distance(left, right)
    return length <= threshold + TOLERANCE, 1 / (1 + length), f"the distance is {length:.2f}"
