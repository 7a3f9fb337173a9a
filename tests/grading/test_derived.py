from typing import Any

import pytest

from assay.grading.assertions import AssertionFault
from assay.grading.derived import MAX_METRICS, DerivedMetrics, compile_derived_metrics


def derived(**formulas: object) -> DerivedMetrics:
    return compile_derived_metrics(
        [{"name": name, "value": value} for name, value in formulas.items()]
    )


def test_metrics_are_computed_in_order_from_sums() -> None:
    metrics = derived(
        precision="true_positives / (true_positives + false_positives)",
        recall="true_positives / (true_positives + false_negatives)",
        f1="2 * precision * recall / (precision + recall)",
        error="APE / __count",
    )
    sums = {"true_positives": 6.0, "false_positives": 2.0, "false_negatives": 4.0, "APE": 5.0}
    scores = metrics.compute(sums, 20)
    assert [score.as_json() for score in scores] == [
        {"name": "precision", "value": 0.75},
        {"name": "recall", "value": 0.6},
        {"name": "f1", "value": pytest.approx(2 * 0.75 * 0.6 / 1.35)},
        {"name": "error", "value": 0.25},
    ]
    # Compiled once, they are good for another model too.
    assert metrics.compute({"true_positives": 1.0}, 1)[0].value == 1.0


def test_what_nothing_reported_counts_as_0_and_is_named() -> None:
    (score,) = derived(total="known + unheard").compute({"known": 2.0}, 1)
    assert score.value == 2.0
    assert score.reason == 'No assertion reported "unheard", which counts as 0.'


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("1 / (a - a)", "The formula divides by zero."),
        ("10 ^ 999", "The value is too large for a number."),
        ("sqrt(0 - a)", "The value is not a real number."),
        ("a / b", 'The formula divides by zero. No assertion reported "b", which counts as 0.'),
    ],
)
def test_what_has_no_value_says_why(formula: str, reason: str) -> None:
    broken, after = derived(broken=formula, after="broken + a").compute({"a": 1.0}, 1)
    assert (broken.value, broken.reason) == (None, reason)
    assert after.value == 1.0


def test_a_name_can_be_any_text_and_a_value_a_number() -> None:
    scores = derived(**{"Weighted score": "0.5 * a", "bar": 0.75}).compute({"a": 1.0}, 1)
    assert [score.value for score in scores] == [0.5, 0.75]


@pytest.mark.parametrize(
    "code",
    [
        "function(namedScores, evalStep) { return namedScores.a; }",
        "(scores) => scores.a",
        "async () => 1",
        "file://metric.js",
        "return a",
    ],
)
def test_functions_are_refused_as_code(code: str) -> None:
    with pytest.raises(AssertionFault) as caught:
        derived(m=code)
    (fault,) = caught.value.errors
    assert fault.place == "derived_metrics[0].value"
    assert "code, which is not run" in fault.message


@pytest.mark.parametrize(
    ("entries", "place", "message"),
    [
        ([{"value": "1"}], "[0].name", "must be a text"),
        ([{"name": " ", "value": "1"}], "[0].name", "must be a text"),
        ([{"name": "m"}], "[0].value", "must be a formula"),
        ([{"name": "m", "value": True}], "[0].value", "must be a formula"),
        ([{"name": "m", "value": "1 +"}], "[0].value", "At character 4"),
        ([{"name": "__count", "value": "1"}], "[0].name", "number of cells"),
        ([{"name": "m", "value": "1"}] * 2, "[1].name", 'a derived metric "m" already'),
        ([{"name": "m", "value": "1", "if": 1}], "[0].if", "no such field"),
        ([{"name": f"m{n}", "value": "1"} for n in range(MAX_METRICS + 1)], "", "can be 100"),
    ],
)
def test_faults_name_their_place(entries: list[dict[str, Any]], place: str, message: str) -> None:
    with pytest.raises(AssertionFault) as caught:
        compile_derived_metrics(entries, "derivedMetrics")
    (fault,) = caught.value.errors
    assert fault.place == f"derivedMetrics{place}"
    assert message in fault.message
