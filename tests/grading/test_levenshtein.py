from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import compile_assertions
from assay.grading.results import Answer, GradedAssertion

short_texts = st.text("abcé ", max_size=8)


def grade(output: str, value: str, threshold: float | None = None) -> GradedAssertion:
    assertion = {"type": "levenshtein", "value": value, "threshold": threshold}
    return compile_assertions([assertion]).grade(Answer(output), {}).entries[0]


def naive_distance(left: str, right: str) -> int:
    """The recursive definition of V. I. Levenshtein (1966)."""

    @cache
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        replaced = distance(i - 1, j - 1) + (left[i - 1] != right[j - 1])
        return min(replaced, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(left), len(right))


@given(short_texts, short_texts, st.floats(0, 10))
def test_agrees_with_the_definition(output: str, value: str, threshold: float) -> None:
    graded = grade(output, value, threshold)
    assert graded.passed == (naive_distance(output, value) <= threshold)
    assert graded.score == float(graded.passed)


@pytest.mark.parametrize(
    ("output", "threshold", "passed"),
    [
        ("abcde", None, True),
        ("abcdefgh", None, False),
        ("abd", 0, False),
        ("abc", 0, True),
        ("x" * 100_000, 1e300, True),
    ],
)
def test_the_limit_is_five_edits_unless_a_threshold_is_given(
    output: str, threshold: float | None, passed: bool
) -> None:
    assert grade(output, "ab" if threshold is None else "abc", threshold).passed == passed


def test_the_reason_gives_distance_and_limit() -> None:
    assert grade("kitten", "sitting").reason == (
        'The Levenshtein distance to "sitting" is 3; the limit is 5.'
    )
    assert grade("kitten", "sitting", 2).reason == (
        'The Levenshtein distance to "sitting" is over 2; the limit is 2.'
    )
