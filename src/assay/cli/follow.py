"""Follows runs from outside, by what the database says of them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import func, select

from assay.core.database import DATABASE_ERRORS, Database, is_disconnect
from assay.core.errors import SetupError
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.runs.models import EvalRun, RunStatus
from assay.playground.runs.service import RunNotActive, cancel_run, get_run
from assay.wiring import RequestedPeople

LOOK_EVERY = 0.2
# The pace shown is that of the last seconds.
PACE_SECONDS = 10.0
ASKED = (
    "People are asked about some answers. They say yes or no in the inbox of a server on this "
    "database (assay up), or by POST /api/v1/requests/{id}/respond; GET /api/v1/requests lists "
    "what waits."
)
_ACTIVE = [status for status in RunStatus if status.is_active]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far some runs are together.

    Attributes:
        total: cells in all.
        completed: cells with a stored result.
        failed: of these, graded and not passed.
        errors: of these, not answered for good.
        cost: USD.
        active: runs that are not over.
        waiting: cells with an answer that people are asked about.
    """

    total: int
    completed: int
    failed: int
    errors: int
    cost: float
    active: int
    waiting: int = 0


class Display(Protocol):
    """Shows a person how far it is."""

    def show(self, standing: Standing, pace: float) -> None:
        """Show the standing and the cells a second."""

    def say(self, message: str) -> None:
        """Show a line that stays."""


async def follow(
    database: Database,
    runs: Sequence[UUID],
    display: Display,
    interrupted: asyncio.Event,
    worker: asyncio.Task[None] | None = None,
) -> bool:
    """Show how the runs get on until all are over; False when interrupted before.

    Args:
        database: where they are stored.
        runs: their ids.
        display: where to show it.
        interrupted: ends the following.
        worker: what works on them in this process; its failure is raised.

    Raises:
        SetupError: the worker has ended.
    """
    pace = _Pace()
    told = False
    stop = asyncio.create_task(interrupted.wait())
    watched = {stop, worker} if worker else {stop}
    try:
        while True:
            standing = await _look(database, runs, display)
            if standing is not None:
                if standing.waiting and not told:
                    display.say(ASKED)
                    told = True
                display.show(standing, pace.after(standing.completed))
                if not standing.active:
                    return True
            await asyncio.wait(watched, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            if interrupted.is_set():
                return False
            if worker is not None and worker.done():
                await worker
                raise SetupError("The worker in this process has ended before the runs were done.")
    finally:
        stop.cancel()


async def _look(database: Database, runs: Sequence[UUID], display: Display) -> Standing | None:
    """The standing; `None` while the database is away, which the worker waits for too."""
    statement = select(
        func.coalesce(func.sum(EvalRun.total), 0),
        func.coalesce(func.sum(EvalRun.completed), 0),
        func.coalesce(func.sum(EvalRun.failed), 0),
        func.coalesce(func.sum(EvalRun.errors), 0),
        func.coalesce(func.sum(EvalRun.cost), 0.0),
        func.count().filter(EvalRun.status.in_(_ACTIVE)),
        func.coalesce(func.sum(EvalRun.waiting), 0),
    ).where(EvalRun.id.in_(runs))
    try:
        async with database.session() as session:
            return Standing(*(await session.execute(statement)).one())
    except DATABASE_ERRORS as error:
        if not is_disconnect(error):
            raise
        display.say("The database does not answer; waiting for it.")
        await asyncio.sleep(1.0)
        return None


class _Pace:
    """Cells a second over the last seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def after(self, completed: int) -> float:
        now = asyncio.get_running_loop().time()
        self._points.append((now, completed))
        while now - self._points[0][0] > PACE_SECONDS:
            self._points.popleft()
        since, before = self._points[0]
        return (completed - before) / (now - since) if now > since else 0.0


async def cancel_all(database: Database, runs: Sequence[UUID]) -> list[UUID]:
    """Cancel those runs that are not over, and give them; their results stay.

    Runs that wait for nothing but people go on, so that nobody has been asked in vain.
    """
    canceled = []
    for run_id in runs:
        try:
            async with database.session() as session:
                run = await get_run(session, LOCAL_ACTOR, run_id)
                if run.status.is_active and run.waits_for_people_only:
                    continue
                await cancel_run(session, LOCAL_ACTOR, RequestedPeople(), run_id)
        except RunNotActive:
            continue
        canceled.append(run_id)
    return canceled


async def left_to_people(database: Database, runs: Sequence[UUID]) -> int:
    """The cells of runs that go on and wait for nothing but people."""
    async with database.session() as session:
        found = await session.scalars(
            select(EvalRun).where(EvalRun.id.in_(runs), EvalRun.status.in_(_ACTIVE))
        )
        return sum(run.waiting for run in found if run.waits_for_people_only)
