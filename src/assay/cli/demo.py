"""The command `assay demo`."""

import socket
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Annotated
from uuid import UUID

import typer
from fastapi import FastAPI
from rich.markup import escape
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.app import create_app
from assay.cli.console import note, output
from assay.cli.follow import cancel_all, follow
from assay.cli.library import hold_library, keep_dataset, keep_use_case, keep_version
from assay.cli.process import INTERRUPTED, load_settings, run, stop_event
from assay.cli.progress import progress_display
from assay.cli.report import RunReport, comparison, load_reports
from assay.cli.serving import address, listen, serve
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.demo.sample import DATASET, PROJECT, PROMPT, USE_CASE, Sample, read_sample
from assay.gateway.providers.catalog import BUILTIN
from assay.gateway.service import Gateway
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.runs.models import EvalResult, RunStatus
from assay.playground.runs.schemas import EvalRunCreate, ModelEntry
from assay.playground.runs.starting import create_run
from assay.playground.runs.titles import shortened
from assay.wiring import RequestedPeople

app = typer_app()
FAILED = 1
# These programs cannot sort messages.
OTHER_PROGRAMS = {f"{BUILTIN}/echo", f"{BUILTIN}/arithmetic"}
MOST_REAL_MODELS = 3
LONGEST_ERROR = 300


@app.command(
    epilog="""[dim]Examples[/dim]

    assay demo

    assay demo --no-serve

    OPENAI_BASE_URL=http://127.0.0.1:8000/v1 assay demo"""
)
def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End after the comparison.")] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Where to serve; 0 takes a free port (API_PORT, 8721).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Evaluate the sample project, print the comparison, then serve.

    Two versions of a prompt sort support messages, with every model at hand: small built-in
    programs that need no key, and models of providers whose key is set or that run on this
    machine. Ctrl-C stops the server.
    """
    settings = load_settings(quiet=True, api_port=port, server_workers=1)
    raise typer.Exit(run(_demo(settings, serving=not no_serve)))


async def _demo(settings: Settings, *, serving: bool) -> int:
    with ExitStack() as stack:
        # A port in use should be known before the work and not after it.
        listener = stack.enter_context(listen(settings)) if serving else None
        server = create_app(settings)
        async with server.router.lifespan_context(server):
            code = await _evaluate(server.state.database, server.state.gateway)
            if code == 0:
                note("\nNext: [bold]assay eval examples/support-triage.yaml[/] runs your own file.")
            if code == 0 and listener is not None:
                await _serve(server, listener, settings)
    return code


async def _serve(server: FastAPI, listener: socket.socket, settings: Settings) -> None:
    url = address(listener)
    ready = f"Serving at [bold]{url}[/], the API is described at [bold]{url}/docs[/]. Ctrl-C stops."
    await serve(server, listener, settings, lambda: note(ready))


async def _evaluate(database: Database, gateway: Gateway) -> int:
    sample = read_sample()
    available = await gateway.available()
    models = choose_models(available)
    note(
        f"Sorting {len(sample.items)} support messages with {len(sample.versions)} versions of a "
        f"prompt, each with {escape(', '.join(models))}."
    )
    with stop_event() as interrupted:
        runs = await _start_runs(database, gateway, sample, models)
        with progress_display() as display:
            done = await follow(database, runs, display, interrupted)
        canceled = [] if done else await cancel_all(database, runs)
    async with database.session() as session:
        reports = await load_reports(session, runs)
        errors = await _first_errors(session, runs)
    output().print(comparison(reports))
    for model, error in errors.items():
        note(f"[yellow]Note:[/] {escape(model)} could not be asked: {escape(error)}")
    if canceled:
        note("Stopped. What is done is kept in the project.")
        return INTERRUPTED
    return 0 if _is_sound(reports, errors) else FAILED


def choose_models(available: Sequence[str]) -> list[str]:
    """The built-in programs that can sort, and one model each of a few providers."""
    programs = [
        name for name in available if name.startswith(f"{BUILTIN}/") and name not in OTHER_PROGRAMS
    ]
    first: dict[str, str] = {}
    for name in available:
        if not name.startswith(f"{BUILTIN}/"):
            first.setdefault(name.partition("/")[0], name)
    return programs + list(first.values())[:MOST_REAL_MODELS]


async def _start_runs(
    database: Database, gateway: Gateway, sample: Sample, models: Sequence[str]
) -> list[UUID]:
    """Start a run for each version of the prompt; what they stand on is made only once."""
    async with database.session() as session:
        await hold_library(session)
        use_case = await keep_use_case(session, PROJECT, USE_CASE)
        dataset = await keep_dataset(session, use_case, DATASET, sample.items)
        people = RequestedPeople()
        runs = []
        for new in sample.versions:
            version = await keep_version(session, use_case, PROMPT, new)
            order = EvalRunCreate(
                prompt_version_id=version.id,
                dataset_id=dataset.id,
                models=[ModelEntry(model=model) for model in models],
                assertions=sample.assertions,
                name=f"Demo, version {version.version_number}",
            )
            runs.append(await create_run(session, LOCAL_ACTOR, gateway, people, order))
    return [run.id for run in runs]


async def _first_errors(session: AsyncSession, runs: Sequence[UUID]) -> dict[str, str]:
    """An error of each model that had one."""
    rows = await session.execute(
        select(EvalResult.model_id, func.min(EvalResult.error))
        .where(EvalResult.eval_run_id.in_(runs), EvalResult.error.is_not(None))
        .group_by(EvalResult.model_id)
    )
    return {model: shortened(error or "", LONGEST_ERROR) for model, error in rows.all()}


def _is_sound(reports: Sequence[RunReport], errors: Collection[str]) -> bool:
    """Whether all was worked off, and what needs no key and no network gave no error."""
    complete = all(report.run.status is RunStatus.completed for report in reports)
    return complete and not any(model.startswith(f"{BUILTIN}/") for model in errors)
