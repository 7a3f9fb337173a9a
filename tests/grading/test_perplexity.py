import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.results import Answer, GradedAssertion

logprobs = st.lists(st.floats(-20, 0), min_size=1, max_size=20)


def grade(
    values: list[float] | None, type_: str, threshold: float | None = None
) -> GradedAssertion:
    grader = compile_assertions([{"type": type_, "threshold": threshold}])
    return grader.grade(Answer("x", logprobs=values), {}).entries[0]


@given(logprobs, st.floats(0, 100))
def test_perplexity_is_at_most_the_threshold(values: list[float], threshold: float) -> None:
    # The reciprocal of the geometric mean of the probabilities.
    expected = math.prod(math.exp(-value / len(values)) for value in values)
    if abs(expected - threshold) > 1e-6 * threshold:
        graded = grade(values, "perplexity", threshold)
        assert (graded.passed, graded.score) == (
            expected <= threshold,
            float(expected <= threshold),
        )
        assert grade(values, "not-perplexity", threshold).passed != graded.passed


@given(logprobs)
def test_the_score_is_the_norm_of_the_perplexity(values: list[float]) -> None:
    graded = grade(values, "perplexity-score")
    perplexity = math.exp(-sum(values) / len(values))
    assert graded.passed
    assert graded.score == pytest.approx(1 / (1 + perplexity))
    negated = grade(values, "not-perplexity-score", 0.25)
    assert negated.score == pytest.approx(1 - graded.score)
    assert negated.passed == (graded.score < 0.25)


def test_certainty_has_perplexity_1() -> None:
    assert grade([0.0, 0.0], "perplexity", 1).passed
    assert grade([0.0], "perplexity-score", 0.5).passed
    assert grade([0.0], "perplexity").reason == "The perplexity of the answer is 1."


def test_what_is_too_unlikely_for_a_number_is_infinite() -> None:
    assert not grade([-1e6], "perplexity", 1e300).passed
    assert grade([-1e6], "perplexity-score", 0).score == 0.0


@pytest.mark.parametrize("values", [None, []])
@pytest.mark.parametrize("type_", ["perplexity", "not-perplexity", "perplexity-score"])
def test_without_log_probabilities_it_is_an_error(values: list[float] | None, type_: str) -> None:
    graded = grade(values, type_, 0.5)
    assert graded.error
    assert not graded.passed
    assert "logprobs: true" in graded.reason


@pytest.mark.parametrize("type_", ["not-perplexity", "not-perplexity-score"])
def test_turned_round_it_needs_a_threshold(type_: str) -> None:
    with pytest.raises(AssertionFault) as caught:
        grade([0.0], type_)
    assert caught.value.errors[0].place == "assertions[0].threshold"


def test_a_score_has_no_threshold_above_1() -> None:
    with pytest.raises(AssertionFault, match="0 to 1"):
        grade([0.0], "perplexity-score", 2)
