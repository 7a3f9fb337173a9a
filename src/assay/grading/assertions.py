"""Assertions as written, and their way to a grader."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from assay.core.errors import FieldFault, Invalid
from assay.core.templates import TemplateFault, compile_template
from assay.grading.checks import CheckFault, CheckType, Spec, kind_of
from assay.grading.grader import CompiledAssertion, CompiledSet, Entry, Grader, Label
from assay.grading.registry import ASSERT_SET, find_check_type, split_negation
from assay.grading.values import compile_value

MAX_WEIGHT = 1_000_000
MAX_NESTING = 10
"""Levels of sets inside sets."""


class AssertionFault(Invalid):
    """The assertions cannot be used."""

    code = "assertions"


class Assertion(BaseModel):
    """One thing asked of an answer, in promptfoo's terms.

    Attributes:
        type: A name from `registry.CHECK_TYPES`, or `assert-set`; `not-` before it turns it round.
        value: What the answer is held against; its texts can be templates over an item's variables.
        threshold: The limit, for types that have one; for `assert-set` the score from 0 to 1
            that is enough.
        weight: The share in the score; 0 measures without deciding.
        metric: A name to report the score under; can be a template.
        assert_: The assertions of an `assert-set`, written `assert`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    type: str = Field(min_length=1, max_length=100)
    value: JsonValue = None
    threshold: float | None = Field(default=None, ge=0, allow_inf_nan=False, strict=True)
    weight: float = Field(default=1.0, ge=0, le=MAX_WEIGHT, allow_inf_nan=False, strict=True)
    metric: str | None = Field(default=None, min_length=1, max_length=255)
    assert_: list["Assertion"] | None = Field(default=None, alias="assert", max_length=1000)


def compile_assertions(
    assertions: Sequence[Assertion | dict[str, Any]], threshold: float | None = None
) -> Grader:
    """Compile assertions into a grader, once for all the answers they are held against.

    Args:
        assertions: Assertions, or objects with their fields.
        threshold: The score from 0 to 1 that is enough for a cell to pass; without it, every
            assertion with a weight must pass.

    Raises:
        AssertionFault: Its `errors` name each faulty place, such as `assertions[2].value`.
    """
    faults: list[FieldFault] = []
    if threshold is not None and not 0 <= threshold <= 1:
        faults.append(FieldFault("threshold", "This must be a number from 0 to 1."))
    entries = _compile_all(assertions, "assertions", faults)
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise AssertionFault(f"The assertions have {count}.", errors=faults)
    return Grader(entries, threshold)


def _compile_all(
    assertions: Sequence[Assertion | dict[str, Any]], place: str, faults: list[FieldFault]
) -> list[Entry]:
    entries = []
    for index, given in enumerate(assertions):
        here = f"{place}[{index}]"
        try:
            assertion = given if isinstance(given, Assertion) else Assertion.model_validate(given)
            entries.append(_compile(assertion, here, faults))
        except ValidationError as error:
            faults.extend(_faults_of(error, here))
        except CheckFault as fault:
            faults.append(FieldFault(f"{here}.{fault.field}", str(fault)))
        except (ValueError, RecursionError) as error:
            faults.append(FieldFault(f"{here}.value", f"This cannot be used: {error}."))
    return entries


def _compile(assertion: Assertion, place: str, faults: list[FieldFault]) -> Entry:
    name, negated = split_negation(assertion.type)
    label = _label(assertion, negated)
    if name == ASSERT_SET:
        _check_set(assertion)
        if place.count(".assert[") >= MAX_NESTING:
            raise CheckFault(f"Sets can be nested {MAX_NESTING} levels deep.", "assert")
        entries = _compile_all(assertion.assert_ or [], f"{place}.assert", faults)
        return CompiledSet(label, entries, assertion.threshold)
    check = find_check_type(name)
    _check_shape(assertion, check)
    spec = Spec(assertion.value, assertion.threshold)
    render = compile_value(assertion.value, check.kinds)
    return CompiledAssertion(label, check.prepare, spec, render)


def _label(assertion: Assertion, negated: bool) -> Label:
    try:
        metric = None if assertion.metric is None else compile_template(assertion.metric)
    except TemplateFault as fault:
        raise CheckFault(fault.detail, "metric") from None
    return Label(assertion.type, negated, assertion.weight, metric)


def _check_set(assertion: Assertion) -> None:
    if not assertion.assert_:
        raise CheckFault(f"{assertion.type} needs at least one assertion here.", "assert")
    if assertion.value is not None:
        raise CheckFault(f"{assertion.type} takes no value.")
    if assertion.threshold is not None and assertion.threshold > 1:
        raise CheckFault("The threshold of a set is a score from 0 to 1.", "threshold")


def _check_shape(assertion: Assertion, check: CheckType) -> None:
    name = assertion.type
    if assertion.assert_ is not None:
        raise CheckFault(f"{name} takes no assertions; only {ASSERT_SET} does.", "assert")
    if assertion.threshold is None and check.threshold == "required":
        raise CheckFault(f"{name} needs a threshold.", "threshold")
    if assertion.threshold is not None and check.threshold == "none":
        raise CheckFault(f"{name} takes no threshold.", "threshold")
    if assertion.value is None:
        if check.kinds and not check.value_optional:
            raise CheckFault(f"{name} needs a value.")
        return
    if not check.kinds:
        raise CheckFault(f"{name} takes no value; its limit is the threshold.")
    kind = kind_of(assertion.value)
    if kind not in check.kinds:
        wanted = " or ".join(sorted(check.kinds))
        raise CheckFault(f"The value of {name} must be of the kind {wanted}, not {kind}.")


def _faults_of(error: ValidationError, place: str) -> list[FieldFault]:
    return [
        FieldFault(place + _path(fault["loc"]), _MESSAGES.get(fault["type"], fault["msg"] + "."))
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _path(steps: tuple[int | str, ...]) -> str:
    if "value" in steps:
        # What follows names alternatives of the type of value, not places in it.
        steps = steps[: steps.index("value") + 1]
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


_FIELDS = ", ".join(field.alias or name for name, field in Assertion.model_fields.items())
_MESSAGES = {
    "extra_forbidden": f"There is no such field; the fields are {_FIELDS}.",
    "missing": "This is missing.",
    "recursion_depth_exceeded": "This is nested too deeply.",
    "model_type": "This must be an object with a type.",
}
