"""Metrics that are computed from other metrics once a run is graded: promptfoo's derivedMetrics."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.core.errors import FieldFault
from assay.grading.assertions import AssertionFault
from assay.grading.formulas import Formula, FormulaFault, read_formula

COUNT = "__count"
"""The name of the number of cells in a formula."""

MAX_METRICS = 100
_LONGEST_NAME = 255
_CODE = re.compile(r"^\s*(?:async\b|function\b|file:)|\breturn\b|=>")
_FIELDS = {"name", "value"}


@dataclass(frozen=True, slots=True)
class DerivedScore:
    """What a derived metric came to.

    Attributes:
        name: Its name.
        value: Its value, or None where the formula has none, such as a division by zero.
        reason: Why there is none, or which metrics it names that nothing reported, as a sentence.
    """

    name: str
    value: float | None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The score as it is stored in a summary; `reason` only where there is one."""
        entry: dict[str, Any] = {"name": self.name, "value": self.value}
        return entry if self.reason is None else {**entry, "reason": self.reason}


class DerivedMetrics:
    """Derived metrics, compiled; use one for any number of models."""

    __slots__ = ("_formulas",)

    def __init__(self, formulas: Sequence[tuple[str, Formula]]) -> None:
        """Take names and formulas in the order in which they are computed."""
        self._formulas = list(formulas)

    def compute(self, metrics: Mapping[str, float], count: int) -> list[DerivedScore]:
        """Compute all of them, in order; a later one can name an earlier one.

        As in promptfoo, a metric that nothing reported counts as 0. So does an earlier derived
        metric without a value.

        Args:
            metrics: The sum of the scores of each named metric over the cells of one model.
            count: How many cells there are, `__count` in a formula.
        """
        known = {**metrics, COUNT: float(count)}
        scores = []
        for name, formula in self._formulas:
            score = _compute(name, formula, known)
            known[name] = score.value or 0.0
            scores.append(score)
        return scores


def compile_derived_metrics(
    derived: Sequence[Mapping[str, Any]], place: str = "derived_metrics"
) -> DerivedMetrics:
    """Compile derived metrics, once for a run.

    Args:
        derived: Objects with a `name` and a `value`, which is a formula such as
            `2 * precision * recall / (precision + recall)`; see `assay.grading.formulas`.
        place: Where they stand, for faults.

    Raises:
        AssertionFault: Its `errors` name each faulty place, such as `derived_metrics[0].value`.
    """
    if len(derived) > MAX_METRICS:
        message = f"There can be {MAX_METRICS} derived metrics, not {len(derived)}."
        raise AssertionFault(message, errors=[FieldFault(place, message)])
    faults: list[FieldFault] = []
    formulas: dict[str, Formula] = {}
    for index, entry in enumerate(derived):
        here = f"{place}[{index}]"
        faults.extend(
            FieldFault(f"{here}.{field}", "There is no such field; the fields are name and value.")
            for field in sorted(entry.keys() - _FIELDS)
        )
        name = _name(entry.get("name"), formulas, here, faults)
        formula = _formula(entry.get("value"), here, faults)
        if name is not None and formula is not None:
            formulas[name] = formula
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise AssertionFault(f"The derived metrics have {count}.", errors=faults)
    return DerivedMetrics(list(formulas.items()))


def _name(
    name: object, taken: Mapping[str, Formula], place: str, faults: list[FieldFault]
) -> str | None:
    message = None
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        message = f"This must be a text of 1 to {_LONGEST_NAME} characters."
    elif name == COUNT:
        message = f"{COUNT} is the number of cells; take another name."
    elif name in taken:
        message = f'There is a derived metric "{name}" already.'
    else:
        return name
    faults.append(FieldFault(f"{place}.name", message))
    return None


def _formula(value: object, place: str, faults: list[FieldFault]) -> Formula | None:
    message = "This must be a formula, as text."
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)
    if isinstance(value, str):
        if _CODE.search(value):
            message = (
                "Functions are code, which is not run; write a formula such as (a + b) / 2, "
                "with a condition as a > 0 ? b / a : 0."
            )
        else:
            try:
                return read_formula(value)
            except FormulaFault as fault:
                message = str(fault)
    faults.append(FieldFault(f"{place}.value", message))
    return None


def _compute(name: str, formula: Formula, known: Mapping[str, float]) -> DerivedScore:
    missing = [needed for needed in formula.names if needed not in known]
    note = None
    if missing:
        listed = ", ".join(f'"{needed}"' for needed in missing)
        note = f"No assertion reported {listed}, which counts as 0."
    try:
        value = formula.compute({**dict.fromkeys(missing, 0.0), **known})
    except ZeroDivisionError:
        return DerivedScore(name, None, _joined("The formula divides by zero.", note))
    except OverflowError:
        return DerivedScore(name, None, _joined("The value is too large for a number.", note))
    except ValueError:
        return DerivedScore(name, None, _joined("The value is not a real number.", note))
    return DerivedScore(name, value, note)


def _joined(reason: str, note: str | None) -> str:
    return reason if note is None else f"{reason} {note}"
