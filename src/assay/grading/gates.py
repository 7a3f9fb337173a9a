"""Gates: conditions on what came out of a run, such as `pass_rate>=0.95`."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from assay.core.errors import Invalid

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_FORM = re.compile(r"\s*([a-z_0-9]+(?::.+?)?)\s*(>=|<=|==|>|<)\s*([0-9.]+(?:e-?[0-9]+)?)\s*(%?)\s*")
_TOLERANCE = 1e-9
ASSERTION = "assertion:"
"""Before the name of an assertion or metric: its pass rate."""


class GateFault(Invalid):
    """The gate cannot be read."""

    code = "gate"


def _latency(percentile: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda entry: entry["latency_ms"][percentile]


_FIGURES: Mapping[str, Callable[[Mapping[str, Any]], float | None]] = {
    "pass_rate": lambda entry: entry["pass_rate"],
    "pass_rate_low": lambda entry: (entry["pass_rate_interval"] or [None])[0],
    "mean_score": lambda entry: entry["mean_score"],
    "failed": lambda entry: entry["failed"],
    "errors": lambda entry: entry["errors"],
    "cost": lambda entry: entry["cost"],
    **{f"latency_{name}": _latency(name) for name in ("p50", "p90", "p95", "p99")},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a gate came out: whether it is met, and the figure it was held against."""

    met: bool
    figure: float | None


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on one entry of a run's summary.

    Attributes:
        text: as it was written.
        figure: a name of `_FIGURES`, or `assertion:` and a name.
        comparison: `>=`, `<=`, `>`, `<` or `==`.
        bar: what the figure is held against.
    """

    text: str
    figure: str
    comparison: str
    bar: float

    def check(self, entry: Mapping[str, Any]) -> Outcome:
        """Hold it against an entry of a summary (`SummaryEntry`); what is not there is not met."""
        figure = _figure(self.figure, entry)
        if figure is None:
            return Outcome(False, None)
        if abs(figure - self.bar) <= _TOLERANCE * max(1.0, abs(self.bar)):
            return Outcome("=" in self.comparison, figure)
        return Outcome(_OPERATORS[self.comparison](figure, self.bar), figure)


def parse_gate(text: str) -> Gate:
    """Read a gate: `pass_rate>=0.95`, `pass_rate >= 95%`, `assertion:is-json>=1`, `errors<=0`.

    Raises:
        GateFault: with what can be written.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise GateFault(
            f'"{text}" is no gate: write a figure, a comparison and a number, as pass_rate>=0.95.'
        )
    figure, comparison, number, percent = found.groups()
    if figure not in _FIGURES and not figure.startswith(ASSERTION):
        near = get_close_matches(figure, _FIGURES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise GateFault(
            f'A gate knows no "{figure}".{hint} There are {", ".join(_FIGURES)}, and '
            f"{ASSERTION}NAME for the pass rate of an assertion or metric."
        )
    try:
        bar = float(number)
    except ValueError:
        raise GateFault(f'"{number}" in the gate "{text}" is no number.') from None
    return Gate(text.strip(), figure, comparison, bar / 100 if percent else bar)


def _figure(name: str, entry: Mapping[str, Any]) -> float | None:
    if name in _FIGURES:
        return _FIGURES[name](entry)
    wanted = name.removeprefix(ASSERTION)
    named = [each for each in entry["assertions"] if each["name"] == wanted]
    cells = sum(each["cells"] for each in named)
    return sum(each["passed"] for each in named) / cells if cells else None
