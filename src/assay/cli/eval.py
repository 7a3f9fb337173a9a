"""The command `assay eval`."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.console import note, notes, output
from assay.cli.follow import cancel_all, follow, left_to_people
from assay.cli.gates import check_gates
from assay.cli.junit_file import write_junit_file
from assay.cli.process import INTERRUPTED, load_settings, run, stop_event
from assay.cli.progress import progress_display
from assay.cli.report import (
    FailedCell,
    RunReport,
    comparison,
    describe_failures,
    failed_cells,
    load_reports,
)
from assay.cli.results_file import write_results
from assay.cli.suite_runs import LAST, resume_runs, start_runs
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.errors import SetupError
from assay.grading.gates import Gate, parse_gate
from assay.playground.promptfoo.options import MAX_CONCURRENCY
from assay.playground.promptfoo.reader import read_suite
from assay.playground.promptfoo.suite import Suite
from assay.startup import open_database
from assay.worker import open_gateway, open_workshop, run_worker

app = typer_app()
FAILED = 1
STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    file: Path
    name: str | None
    concurrency: int | None
    failures: int
    json_to: Path | None
    resume: str | None
    gates: Sequence[Gate]
    junit_to: Path | None


@app.command(
    epilog="""[dim]Examples[/dim]

    assay eval examples/support-triage.yaml

    assay eval suite.yaml --concurrency 8 --json results.json

    assay eval suite.yaml --gate 'pass_rate>=0.95' --gate 'latency_p95<=2000'

    assay eval suite.yaml --junit results.xml

    assay eval suite.yaml --json - | jq .passed

    assay eval suite.yaml --resume last"""
)
def evaluate(
    file: Annotated[Path, typer.Argument(help="A YAML or JSON file in promptfoo's shape.")],
    name: Annotated[
        str | None, typer.Option(help="What to call the runs.", show_default=False)
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_CONCURRENCY,
            help="Calls in flight at most, divided among the prompts (the file's "
            "evaluateOptions.maxConcurrency, else 64 for each prompt).",
            show_default=False,
        ),
    ] = None,
    failures: Annotated[int, typer.Option(min=0, help="How many failed cells to print.")] = 10,
    json_to: Annotated[
        Path | None,
        typer.Option("--json", help="Write the results as JSON; - for standard output."),
    ] = None,
    junit_to: Annotated[
        Path | None,
        typer.Option("--junit", help="Write the results as JUnit XML, for CI.", metavar="FILE"),
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GATE",
            help="What each prompt has to reach with each model, in place of passing every cell; "
            "can be repeated.",
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="IDS", help=f"Go on with runs of this file: ids with commas, or {LAST}."
        ),
    ] = None,
) -> None:
    """Run an evaluation file from the shell.

    Every prompt of the file runs on every test with every provider. Results are kept in the
    database, so an evaluation that was stopped with Ctrl-C goes on with --resume where it was.
    What people are asked (human) they may answer for as long as it takes.

    Exit code 0 when all cells passed or, with gates, each gate is met; 1 when not; 2 when the
    file or the set-up is faulty (then nothing was started), 130 when interrupted.
    """
    gates = [parse_gate(text) for text in gate or ()]
    options = Options(file, name, concurrency, failures, json_to, resume, gates, junit_to)
    settings = load_settings(quiet=True)
    suite = read_suite(file) if resume is None else None
    for warning in suite.warnings if suite else []:
        note(f"[yellow]Note:[/] {escape(warning)}")
    _check_target("--json", json_to)
    _check_target("--junit", junit_to)
    raise typer.Exit(run(_evaluate(settings, options, suite)))


def _check_target(option: str, path: Path | None) -> None:
    if path is not None and path != STDOUT and (path.is_dir() or not path.parent.is_dir()):
        raise SetupError(
            f"{option} {path} cannot be written: name a file in a folder that is there."
        )


async def _evaluate(settings: Settings, options: Options, suite: Suite | None) -> int:
    async with (
        open_database(settings) as database,
        open_gateway(settings, database) as gateway,
    ):
        with stop_event() as interrupted:
            if suite is None:
                runs = await resume_runs(database, gateway, options.file, options.resume or LAST)
            else:
                runs = await start_runs(
                    database,
                    gateway,
                    options.file,
                    suite,
                    name=options.name,
                    concurrency=options.concurrency,
                )
            async with (
                open_workshop(settings, database, gateway) as workshop,
                run_worker(settings, database, workshop) as worker,
            ):
                with progress_display() as display:
                    done = await follow(database, runs, display, interrupted, worker)
                canceled = [] if done else await cancel_all(database, runs)
        waiting = 0 if done else await left_to_people(database, runs)
        if waiting:
            _say_who_is_waited_for(options.file, waiting)
        if canceled:
            await _say_how_to_resume(database, options.file, runs, canceled)
        if canceled or waiting:
            return INTERRUPTED
        return await _report(database, options, runs)


async def _say_how_to_resume(
    database: Database, file: Path, runs: Sequence[UUID], canceled: Sequence[UUID]
) -> None:
    async with database.session() as session:
        reports = await load_reports(session, runs)
    completed = sum(report.run.completed for report in reports)
    total = sum(report.run.total for report in reports)
    command = f"assay eval {escape(shlex.quote(str(file)))} --resume"
    note(f"Stopped. {completed:,} of {total:,} cells have results, which are kept. Go on with")
    note(f"  [bold]{command} {LAST}[/]")
    note(f"  [bold]{command} {','.join(map(str, canceled))}[/]")


def _say_who_is_waited_for(file: Path, waiting: int) -> None:
    note(f"{waiting:,} cells wait for people, who can still answer. Look again with")
    note(f"  [bold]assay eval {escape(shlex.quote(str(file)))} --resume {LAST}[/]")


async def _write_json(
    session: AsyncSession, file: Path, reports: Sequence[RunReport], target: Path
) -> None:
    if target == STDOUT:
        await write_results(session, file, reports, sys.stdout.buffer)
        sys.stdout.flush()
        return
    try:
        with target.open("wb") as stream:
            await write_results(session, file, reports, stream)
    except OSError as error:
        raise SetupError(f"--json {target} cannot be written: {error.strerror}.") from None


async def _report(database: Database, options: Options, runs: Sequence[UUID]) -> int:
    async with database.session() as session:
        reports = await load_reports(session, runs)
        cells = await failed_cells(session, reports, options.failures)
        _print_report(reports, cells, options)
        if options.json_to is not None:
            await _write_json(session, options.file, reports, options.json_to)
    if options.junit_to is not None:
        await write_junit_file(database, runs, options.junit_to)
    if options.gates:
        results = check_gates(reports, options.gates)
        for result in results:
            note(result.as_markup())
        return 0 if all(result.met for result in results) else FAILED
    return 0 if all(report.passed for report in reports) else FAILED


def _print_report(
    reports: Sequence[RunReport], cells: Sequence[FailedCell], options: Options
) -> None:
    console = notes() if options.json_to == STDOUT else output()
    console.print(comparison(reports))
    passed = sum(report.run.passed for report in reports)
    total = sum(report.run.total for report in reports)
    if passed < total and options.failures:
        console.print()
        console.print(describe_failures(cells, total - passed), soft_wrap=True)
    for report in reports:
        if report.run.error_message:
            note(f"[bold red]{escape(report.title)}:[/] {escape(report.run.error_message)}")
    console.print(f"\n{passed:,} of {total:,} cells passed.")
