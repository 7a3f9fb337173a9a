"""Gates of the command line, held against what came out of runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape

from assay.cli.report import RunReport
from assay.grading.gates import Gate
from assay.playground.runs.models import RunStatus


@dataclass(frozen=True, slots=True)
class GateResult:
    """How a gate came out for one prompt with one model."""

    title: str
    model: str
    gate: Gate
    met: bool
    figure: float | None

    def __str__(self) -> str:
        found = "there is no such figure" if self.figure is None else f"it is {self.figure:.6g}"
        return f"{self.gate.text} for {self.title} with {self.model}: {found}"

    def as_markup(self) -> str:
        """A line for people."""
        mark = "[green]met[/]" if self.met else "[bold red]not met[/]"
        return f"gate {mark}  {escape(str(self))}"


def check_gates(reports: Sequence[RunReport], gates: Sequence[Gate]) -> list[GateResult]:
    """Each gate with each prompt and model; a run that did not complete meets none."""
    results = []
    for report in reports:
        for model, entry in report.summary["models"].items():
            for gate in gates:
                outcome = gate.check(entry)
                met = outcome.met and report.run.status is RunStatus.completed
                results.append(GateResult(report.title, model, gate, met, outcome.figure))
    return results
