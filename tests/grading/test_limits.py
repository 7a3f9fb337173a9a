import pytest

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.results import Answer, GradedAssertion


def grade(answer: Answer, type_: str, threshold: float) -> GradedAssertion:
    grader = compile_assertions([{"type": type_, "threshold": threshold}])
    return grader.grade(answer, {}).entries[0]


@pytest.mark.parametrize(
    ("type_", "threshold", "passed"),
    [
        ("latency", 200, True),
        ("latency", 120.0, True),
        ("latency", 119.9, False),
        ("cost", 0.002, True),
        ("cost", 0.001, True),
        ("cost", 0, False),
    ],
)
def test_what_an_answer_took_is_held_against_the_limit(
    type_: str, threshold: float, passed: bool
) -> None:
    answer = Answer("x", latency_ms=120.0, cost=0.001)
    assert grade(answer, type_, threshold).passed == passed
    assert grade(answer, f"not-{type_}", threshold).passed == (not passed)


def test_reasons_give_measure_and_limit() -> None:
    answer = Answer("x", latency_ms=120.4, cost=0.00125)
    assert grade(answer, "latency", 100).reason == "The answer took 120 ms; the limit is 100 ms."
    assert grade(answer, "cost", 0.001).reason == "The answer cost $0.00125; the limit is $0.001."


@pytest.mark.parametrize("type_", ["latency", "not-latency", "cost", "not-cost"])
def test_what_was_not_measured_is_an_error(type_: str) -> None:
    graded = grade(Answer("x"), type_, 1)
    assert graded.error
    assert not graded.passed
    assert graded.score == 0.0


@pytest.mark.parametrize("type_", ["latency", "cost"])
@pytest.mark.parametrize("threshold", [None, -1, float("nan"), float("inf"), "5", True])
def test_a_limit_is_needed(type_: str, threshold: object) -> None:
    with pytest.raises(AssertionFault, match=r"assertions\[0\]\.threshold"):
        compile_assertions([{"type": type_, "threshold": threshold}])


def test_a_free_answer_costs_nothing() -> None:
    assert grade(Answer("x", cost=0.0), "cost", 0).passed
