"""An evaluation file run to its end by a program, such as a test."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from assay.cli.follow import Standing, follow
from assay.cli.gates import check_gates
from assay.cli.report import FailedCell, RunReport, failed_cells, load_reports
from assay.cli.suite_runs import start_runs
from assay.core.config import Settings
from assay.grading.gates import parse_gate
from assay.playground.promptfoo.reader import read_suite
from assay.playground.promptfoo.suite import Suite
from assay.startup import open_database
from assay.worker import open_gateway, open_workshop, run_worker

FAILURES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out of an evaluation file.

    Attributes:
        file: the file.
        run_ids: the runs it was kept as, one for each prompt.
        reports: what came out of each, with its summary.
        failures: the first cells that did not pass.
    """

    file: Path
    run_ids: Sequence[UUID]
    reports: Sequence[RunReport]
    failures: Sequence[FailedCell]

    @property
    def passed(self) -> bool:
        """Whether every cell passed."""
        return all(report.passed for report in self.reports)

    @property
    def pass_rate(self) -> float:
        """The share of all cells that passed."""
        total = sum(report.run.total for report in self.reports)
        return sum(report.run.passed for report in self.reports) / total

    def require(self, *gates: str) -> None:
        """Fail the test unless each gate is met; without gates, unless every cell passed.

        Args:
            gates: such as `pass_rate>=0.95`, `errors<=0` or `latency_p95<2000`; each has to be
                met by each prompt with each model.

        Raises:
            AssertionError: with the gates that are not met and the cells that failed.
            GateFault: a gate cannot be read.
        """
        __tracebackhide__ = True  # pytest shows the line of the test, not this one
        results = check_gates(self.reports, [parse_gate(gate) for gate in gates])
        missed = [str(result) for result in results if not result.met]
        if missed or (not gates and not self.passed):
            raise AssertionError(self._explained(missed or ["not every cell passed"]))

    def _explained(self, missed: Sequence[str]) -> str:
        cells = [
            f"  {cell.title}, {cell.model}, item {cell.number} ({cell.item}): {cell.reason}"
            for cell in self.failures
        ]
        errors = [
            f"  {report.title}: {report.run.error_message}"
            for report in self.reports
            if report.run.error_message
        ]
        return "\n".join([str(self.file), *(f"  {each}" for each in missed), *errors, *cells])


def evaluate(
    file: str | Path, *, name: str | None = None, concurrency: int | None = None
) -> Evaluation:
    """Run an evaluation file to its end.

    Args:
        file: its path, from where the program was started.
        name: of the runs; made of the file's name and the time where there is none.
        concurrency: cells in flight at most.

    Raises:
        SuiteFault: the file has a fault, or names a model that cannot be asked.
        SetupError: a setting or the database has one.
    """
    path = Path(file)
    suite = read_suite(path)
    # The caller may have an event loop running in its own thread.
    with ThreadPoolExecutor(1, "assay") as thread:
        return thread.submit(asyncio.run, _run(path, suite, name, concurrency)).result()


async def _run(file: Path, suite: Suite, name: str | None, concurrency: int | None) -> Evaluation:
    settings = Settings.load()
    async with open_database(settings) as database, open_gateway(settings, database) as gateway:
        runs = await start_runs(database, gateway, file, suite, name=name, concurrency=concurrency)
        async with (
            open_workshop(settings, database, gateway) as workshop,
            run_worker(settings, database, workshop) as worker,
        ):
            await follow(database, runs, _Silent(), asyncio.Event(), worker)
        async with database.session() as session:
            reports = await load_reports(session, runs)
            failures = await failed_cells(session, reports, FAILURES_SHOWN)
        return Evaluation(file, runs, reports, failures)


class _Silent:
    """Shows nothing: whoever calls has the terminal."""

    def show(self, standing: Standing, pace: float) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""
