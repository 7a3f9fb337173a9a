import json
import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import compile_assertions
from assay.grading.results import Answer, Grading

PASSES = {"type": "contains", "value": "a"}
FAILS = {"type": "contains", "value": "z"}
BREAKS = {"type": "contains", "value": "{{ missing }}"}


def grade(
    assertions: list[dict[str, Any]], threshold: float | None = None, **variables: object
) -> Grading:
    return compile_assertions(assertions, threshold).grade(Answer("abc"), variables)


def weighted(assertion: dict[str, Any], weight: float) -> dict[str, Any]:
    return {**assertion, "weight": weight}


def test_without_assertions_a_cell_passes() -> None:
    assert grade([]).as_json() == {
        "passed": True,
        "score": 1.0,
        "reason": "No assertions.",
        "assertions": [],
        "metrics": {},
    }


def test_the_score_is_the_weighted_mean() -> None:
    grading = grade([weighted(FAILS, 2), PASSES])
    assert grading.score == pytest.approx(1 / 3)
    assert not grading.passed
    assert grading.reason == (
        '1 of 2 assertions failed. contains: The output does not contain "z".'
    )
    assert [entry.passed for entry in grading.entries] == [False, True]


def test_a_threshold_on_the_score_decides_alone() -> None:
    assertions = [weighted(FAILS, 2), PASSES]
    assert grade(assertions, 0.2).passed
    assert grade(assertions, 0).passed
    failed = grade(assertions, 0.5)
    assert not failed.passed
    assert failed.reason == "The score 0.33 is below the threshold 0.5."


def test_a_threshold_is_reached_in_spite_of_rounding() -> None:
    # (0.7 + 0.1) / (0.7 + 0.1 + 0.2) is a little under 0.8 in binary.
    parts = [weighted(PASSES, 0.7), weighted(PASSES, 0.1), weighted(FAILS, 0.2)]
    assert grade(parts, 0.8).passed
    assert not grade(parts, 0.801).passed


def test_weight_zero_measures_without_deciding() -> None:
    grading = grade(
        [
            PASSES,
            {**FAILS, "weight": 0, "metric": "m"},
            {**PASSES, "weight": 0, "metric": "n"},
            {**PASSES, "weight": 0, "metric": "m"},
        ]
    )
    assert grading.passed
    assert grading.score == 1.0
    assert grading.entries[1].passed
    assert grading.entries[1].score == 0.0
    assert grading.metrics() == {"m": 0.5, "n": 1.0}


def test_without_any_weight_a_cell_passes_with_score_0() -> None:
    grading = grade([weighted(FAILS, 0), weighted(PASSES, 0)])
    assert (grading.passed, grading.score) == (True, 0.0)
    assert grading.reason == "No assertion has a weight."
    assert not grade([weighted(PASSES, 0)], threshold=0.5).passed
    assert grade([weighted(FAILS, 0)], threshold=0).passed


def test_without_assertions_a_cell_passes_with_score_1() -> None:
    grading = grade([], threshold=1)
    assert (grading.passed, grading.score) == (True, 1.0)


def test_a_set_passes_when_all_in_it_pass() -> None:
    assert grade([{"type": "assert-set", "assert": [PASSES, PASSES]}]).passed
    grading = grade([{"type": "assert-set", "assert": [PASSES, FAILS]}])
    assert not grading.passed
    assert grading.score == 0.5
    assert grading.entries[0].parts is not None
    assert [part.passed for part in grading.entries[0].parts] == [True, False]


@pytest.mark.parametrize(
    ("threshold", "weight", "passed"),
    [(0.5, 1, True), (0.6, 1, False), (0.6, 2, True), (0.0, 0, True)],
)
def test_a_set_with_a_threshold_passes_at_that_score(
    threshold: float, weight: float, passed: bool
) -> None:
    parts = [weighted(PASSES, weight), FAILS]
    grading = grade([{"type": "assert-set", "threshold": threshold, "assert": parts}])
    assert grading.passed == passed
    # The cell's score is that of the set, whether it passed or not.
    assert grading.score == pytest.approx(weight / (weight + 1))


def test_a_set_weighs_as_one() -> None:
    group = {"type": "assert-set", "weight": 3, "assert": [PASSES, FAILS]}
    assert grade([group, PASSES]).score == pytest.approx((3 * 0.5 + 1) / 4)


def test_a_set_of_weight_zero_decides_nothing() -> None:
    assert grade([{"type": "assert-set", "weight": 0, "assert": [FAILS]}, PASSES]).passed


def test_sets_can_be_negated_and_nested() -> None:
    inner = {"type": "not-assert-set", "assert": [FAILS, FAILS]}
    grading = grade([{"type": "assert-set", "assert": [inner, PASSES]}])
    assert grading.passed
    assert grading.score == 1.0


@pytest.mark.parametrize("type_", ["contains", "not-contains"])
def test_a_missing_variable_is_an_error_and_never_a_pass(type_: str) -> None:
    grading = grade([{"type": type_, "value": "{{ topic }}"}], text="x")
    entry = grading.entries[0]
    assert (grading.passed, entry.passed, entry.score, entry.error) == (False, False, 0.0, True)
    assert '"topic" is missing' in entry.reason


@pytest.mark.parametrize("type_", ["assert-set", "not-assert-set"])
def test_an_error_in_a_set_never_makes_it_pass(type_: str) -> None:
    grading = grade([{"type": type_, "assert": [BREAKS]}])
    assert not grading.passed
    assert grading.entries[0].error


def test_a_set_can_reach_its_threshold_in_spite_of_an_error() -> None:
    group = {"type": "assert-set", "threshold": 0.5, "assert": [BREAKS, PASSES]}
    grading = grade([group])
    assert grading.passed
    assert not grading.entries[0].error


def test_an_error_of_weight_zero_decides_nothing() -> None:
    grading = grade([weighted(BREAKS, 0), PASSES])
    assert grading.passed
    assert grading.entries[0].error
    assert not grading.entries[0].passed
    group = grade([{"type": "assert-set", "assert": [weighted(BREAKS, 0), FAILS]}]).entries[0]
    assert not group.error
    assert not group.passed


def test_metrics_are_weighted_means_also_over_sets() -> None:
    grading = grade(
        [
            {**PASSES, "metric": "tone"},
            {**FAILS, "metric": "tone", "weight": 3},
            {
                "type": "assert-set",
                "weight": 2,
                "metric": "group",
                "assert": [
                    {**PASSES, "metric": "tone", "weight": 2},
                    {**FAILS, "metric": "group", "weight": 2},
                ],
            },
        ]
    )
    assert grading.metrics() == {"tone": pytest.approx((1 + 4) / (1 + 3 + 4)), "group": 0.5}


def test_a_metric_name_can_be_a_template() -> None:
    assertion = {**PASSES, "metric": "tone of {{ lang }}"}
    assert grade([assertion], lang="en").metrics() == {"tone of en": 1.0}
    assert grade([assertion]).metrics() == {"tone of {{ lang }}": 1.0}


def test_the_stored_form() -> None:
    group = {"type": "assert-set", "assert": [{**PASSES, "metric": "m"}]}
    assert grade([group, weighted(BREAKS, 0.5)]).as_json() == {
        "passed": False,
        "score": pytest.approx(2 / 3),
        "reason": (
            "1 of 2 assertions failed. contains: The value cannot be filled in. "
            'The variable "missing" is missing; no variables are given.'
        ),
        "assertions": [
            {
                "type": "assert-set",
                "passed": True,
                "score": 1.0,
                "reason": "All assertions passed.",
                "weight": 1.0,
                "parts": [
                    {
                        "type": "contains",
                        "passed": True,
                        "score": 1.0,
                        "reason": 'The output contains "a".',
                        "weight": 1.0,
                        "metric": "m",
                    }
                ],
            },
            {
                "type": "contains",
                "passed": False,
                "score": 0.0,
                "reason": (
                    "The value cannot be filled in. "
                    'The variable "missing" is missing; no variables are given.'
                ),
                "weight": 0.5,
                "error": True,
            },
        ],
        "metrics": {"m": 1.0},
    }


leaves = st.builds(
    lambda base, negated, weight, metric: {
        **base,
        "type": ("not-" if negated else "") + base["type"],
        "weight": weight,
        "metric": metric,
    },
    st.sampled_from([PASSES, FAILS, BREAKS, {"type": "is-json"}, {"type": "cost", "threshold": 1}]),
    st.booleans(),
    st.sampled_from([0, 0.1, 1, 3]) | st.floats(0, 1e6),
    st.sampled_from([None, "m", "n"]),
)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda type_, parts, weight, threshold: {
            "type": type_,
            "assert": parts,
            "weight": weight,
            "threshold": threshold,
            "metric": "m",
        },
        st.sampled_from(["assert-set", "not-assert-set"]),
        st.lists(inner, min_size=1, max_size=4),
        st.floats(0, 1e6),
        st.none() | st.floats(0, 1),
    ),
    max_leaves=8,
)


@given(st.lists(trees, max_size=5), st.none() | st.floats(0, 1))
def test_scores_stay_within_bounds(assertions: list[Any], threshold: float | None) -> None:
    grading = grade(assertions, threshold)
    stored = grading.as_json()
    assert 0 <= grading.score <= 1
    assert all(0 <= score <= 1 for score in stored["metrics"].values())
    assert json.loads(json.dumps(stored)) == stored
    if threshold is None:
        assert grading.passed == all(e.passed for e in grading.entries if e.weight)


@given(leaves)
def test_negation_turns_every_decision_round_but_no_error(assertion: dict[str, Any]) -> None:
    plain = {**assertion, "type": assertion["type"].removeprefix("not-"), "weight": 1}
    negated = {**plain, "type": f"not-{plain['type']}"}
    one, other = grade([plain, negated]).entries
    assert one.error == other.error
    assert one.error or one.passed != other.passed
    assert one.score + other.score == (0 if one.error else 1)


def test_a_grade_takes_well_under_20_microseconds() -> None:
    grader = compile_assertions([PASSES])
    answer = Answer("a" * 200)
    runs = timeit.repeat(lambda: grader.grade(answer, {}), number=500, repeat=10)
    assert min(runs) / 500 < 20e-6
