"""The list of assertions as it comes in requests, for datasets, items and runs."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assay.core.text import Location, Text, json_fault, located
from assay.grading.assertions import Assertion, AssertionFault, compile_assertions
from assay.grading.derived import MAX_METRICS, compile_derived_metrics

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def _check_storable(assertions: list[Assertion]) -> list[Assertion]:
    if found := json_fault([assertion.model_dump() for assertion in assertions]):
        raise located(found)
    return assertions


def _check_compiles(assertions: list[Assertion]) -> list[Assertion]:
    try:
        compile_assertions(assertions)
    except AssertionFault as fault:
        raise located(*((_below_list(f.place), f.message) for f in fault.errors)) from None
    return assertions


def _below_list(place: str) -> Location:
    """`assertions[2].value` as `(2, "value")`."""
    steps = [int(index) if index else name for index, name in _STEP.findall(place)]
    return tuple(steps[1:])


Assertions = Annotated[
    list[Assertion],
    AfterValidator(_check_storable),
    AfterValidator(_check_compiles),
    Field(
        max_length=1000,
        examples=[[{"type": "icontains", "value": "refund"}, {"type": "cost", "threshold": 1}]],
    ),
]


class DerivedMetric(BaseModel):
    """A metric that is computed from others once a run is graded."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(min_length=1, max_length=255, examples=["f1"])
    value: Text = Field(
        min_length=1,
        max_length=10_000,
        description="A formula over the sums of named metrics, and `__count`, the cells",
        examples=["2 * precision * recall / (precision + recall)"],
    )


def _check_formulas(derived: list[DerivedMetric]) -> list[DerivedMetric]:
    try:
        compile_derived_metrics([metric.model_dump() for metric in derived])
    except AssertionFault as fault:
        raise located(*((_below_list(f.place), f.message) for f in fault.errors)) from None
    return derived


DerivedMetrics = Annotated[
    list[DerivedMetric], AfterValidator(_check_formulas), Field(max_length=MAX_METRICS)
]
