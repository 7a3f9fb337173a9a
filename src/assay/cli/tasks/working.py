"""Tasks under way: done from here, watched, cancelled."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from assay.agents.agents.models import Agent
from assay.agents.tasks.models import Task, TaskStatus
from assay.agents.tasks.schemas import TaskStart
from assay.agents.tasks.service import TaskEnded, cancel_task
from assay.cli.console import note, output
from assay.cli.process import INTERRUPTED, stop_event
from assay.cli.tasks.agents import AgentOptions
from assay.cli.tasks.answering import AtTerminal, Elsewhere, People
from assay.cli.tasks.following import Following, Stopped, until_cleared
from assay.cli.tasks.json_lines import JsonLines
from assay.cli.tasks.lines import Lines
from assay.cli.tasks.looking import find_task
from assay.cli.tasks.starting import SIGHT, begin
from assay.cli.tasks.views import View
from assay.core.config import Settings
from assay.core.database import Database
from assay.startup import open_database
from assay.wiring import TaskPeople
from assay.worker import open_gateway, open_workshop, run_worker

FAILED, WAITING = 1, 3
CLEARED_SECONDS = 30.0
"""What a worker in this process may take to destroy the sandbox of a task that has ended."""

CLEARED_ELSEWHERE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    new: TaskStart
    agent: str | None
    options: AgentOptions
    no_wait: bool
    as_json: bool


async def do_task(settings: Settings, wanted: Wanted) -> int:
    """Do a task from its beginning to its end; gives the exit code.

    Raises:
        AssayError: nothing was begun.
    """
    async with (
        open_database(settings) as database,
        open_gateway(settings, database) as gateway,
        open_workshop(settings, database, gateway) as workshop,
    ):
        with stop_event() as interrupted:
            begun = await begin(database, workshop, wanted.new, wanted.agent, wanted.options)
            task = begun.task
            view = _view(as_json=wanted.as_json)
            people = _people(settings, database, task.id)
            following = Following(database, task, begun.agent, view, people)
            async with run_worker(settings, database, workshop) as worker:
                stopped = await following.until(interrupted, worker=worker, no_wait=wanted.no_wait)
                if stopped is Stopped.waiting:
                    _say_what_waits(task.id)
                    return WAITING
                if stopped is Stopped.interrupted:
                    note("Cancelling the task.")
                    with contextlib.suppress(TaskEnded):
                        await _cancel(database, task.id)
                    await following.until(asyncio.Event(), worker=worker)
                await _until_cleared(database, task.id, CLEARED_SECONDS)
        code = await _end(database, task.id, view)
        return INTERRUPTED if stopped is Stopped.interrupted and code else code


async def watch_task(
    settings: Settings, database: Database, named: str, *, after: int, work: bool, as_json: bool
) -> int:
    """Show a task until it ends; gives the exit code.

    Args:
        settings: of this process.
        database: where the task is stored.
        named: its id, or `last`.
        after: the sequence of the event behind which to begin; 0 for the beginning.
        work: whether to work on it here, too.
        as_json: show it as lines of JSON.

    Raises:
        NotFound, Invalid: there is no such task.
    """
    async with database.reading() as session:
        task = await find_task(session, named)
        agent = await session.get(Agent, task.assigned_agent_id) if task.assigned_agent_id else None
    view = _view(as_json=as_json)
    people = _people(settings, database, task.id)
    following = Following(database, task, agent, view, people, after=after)
    with stop_event() as interrupted:
        async with _worker(settings, database, wanted=work) as worker:
            stopped = await following.until(interrupted, worker=worker)
            if stopped is Stopped.ended and work:
                await _until_cleared(database, task.id, CLEARED_SECONDS)
    if stopped is Stopped.interrupted:
        note("The task is not over: it goes on where there is a worker. Look again with")
        note(f"  [bold]assay task watch {task.id}[/]")
        return INTERRUPTED
    return await _end(database, task.id, view)


async def cancel(database: Database, named: str) -> int:
    """Cancel a task; gives the exit code.

    Raises:
        NotFound, Invalid: there is no such task.
        TaskEnded: it has come to its end already.
    """
    async with database.reading() as session:
        task = await find_task(session, named)
    await _cancel(database, task.id)
    note(f"Task {task.id} is cancelled.")
    await _until_cleared(database, task.id, CLEARED_ELSEWHERE_SECONDS)
    return 0


@asynccontextmanager
async def _worker(
    settings: Settings, database: Database, *, wanted: bool
) -> AsyncIterator[asyncio.Task[None] | None]:
    """A worker in this process, where one is wanted."""
    if not wanted:
        yield None
        return
    async with (
        open_gateway(settings, database) as gateway,
        open_workshop(settings, database, gateway) as workshop,
        run_worker(settings, database, workshop) as worker,
    ):
        yield worker


def _view(*, as_json: bool) -> View:
    return JsonLines() if as_json else Lines(output(), asks_here=sys.stdin.isatty())


def _people(settings: Settings, database: Database, task_id: UUID) -> People:
    if sys.stdin.isatty():
        return AtTerminal(database, task_id)
    return Elsewhere(settings, database, task_id)


async def _cancel(database: Database, task_id: UUID) -> None:
    async with database.session() as session:
        await cancel_task(session, SIGHT, task_id, TaskPeople())


async def _until_cleared(database: Database, task_id: UUID, seconds: float) -> None:
    if not await until_cleared(database, task_id, seconds):
        note(
            "[yellow]Its sandbox is not gone yet:[/] the next server or worker that looks destroys "
            "it (assay up, assay worker)."
        )


def _say_what_waits(task_id: UUID) -> None:
    note(f"Task {task_id} waits for a person. Answer and let it go on with")
    note(f"  [bold]assay task watch {task_id} --work[/]")
    note("or at a server on this database (assay up), in its inbox.")


async def _end(database: Database, task_id: UUID, view: View) -> int:
    async with database.reading() as session:
        task = await session.get_one(Task, task_id)
        await session.refresh(task, ["diff"])
    view.end(task)
    return 0 if task.status is TaskStatus.completed else FAILED
