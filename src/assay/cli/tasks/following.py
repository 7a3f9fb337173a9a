"""Follows a task from outside, by what the database says of it."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from rich.markup import escape
from sqlalchemy import select

from assay.agents.agents.models import Agent
from assay.agents.git.models import GitOperation, OperationStatus
from assay.agents.sandboxes import rows
from assay.agents.sandboxes.models import Sandbox
from assay.agents.tasks.events.models import TaskEvent, TaskEventKind
from assay.agents.tasks.events.service import read_events
from assay.agents.tasks.models import Task, TaskStatus
from assay.cli.console import note
from assay.cli.tasks.answering import People
from assay.cli.tasks.views import View
from assay.core.database import DATABASE_ERRORS, Database, is_disconnect
from assay.core.errors import AssayError, SetupError

LOOK_EVERY = 0.25
AT_ONCE = 500


class Stopped(StrEnum):
    """Why the following stopped."""

    ended = "ended"
    interrupted = "interrupted"
    waiting = "waiting"


class _Look(NamedTuple):
    """What is new: events and steps with git in their order; where more is to come at once."""

    task: Task
    happened: Sequence[TaskEvent | GitOperation]
    full: bool


class Following:
    """One task on its way to a view."""

    def __init__(
        self,
        database: Database,
        task: Task,
        agent: Agent | None,
        view: View,
        people: People,
        *,
        after: int = 0,
    ) -> None:
        """Follow a task.

        Args:
            database: where it is stored.
            task: which one it is.
            agent: who does it.
            view: where to show what happens.
            people: whom questions that are open are put to.
            after: the sequence of the event behind which to begin to show; 0 for everything.
        """
        self._database = database
        self._task_id = task.id
        self._beginning: tuple[Task, Agent | None] | None = (task, agent)
        self._view = view
        self._people = people
        self._show_after = after
        self._after = 0
        self._operations: set[UUID] = set()
        self._open: dict[UUID, None] = {}
        self._put: set[UUID] = set()
        self._asking: tuple[UUID, asyncio.Task[None]] | None = None

    async def until(
        self,
        interrupted: asyncio.Event,
        *,
        worker: asyncio.Task[None] | None = None,
        no_wait: bool = False,
    ) -> Stopped:
        """Show what happens until the task has ended.

        Args:
            interrupted: ends the following, as it does that nobody reads any more.
            worker: what works on it in this process; its failure is raised.
            no_wait: end the following also where the task waits for a person.

        Raises:
            SetupError: the worker has ended before, or the task was deleted.
        """
        stop = asyncio.create_task(interrupted.wait())
        watched = {stop, worker} if worker else {stop}
        try:
            while True:
                look = await self._look()
                if look is not None and (stopped := self._take(look, no_wait=no_wait)):
                    return stopped
                if look is None or not look.full:
                    await asyncio.wait(
                        watched, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED
                    )
                if interrupted.is_set():
                    return Stopped.interrupted
                if worker is not None and worker.done():
                    await worker
                    raise SetupError("The worker in this process has ended before the task did.")
        finally:
            stop.cancel()
            await self._stop_asking()

    def _take(self, look: _Look, *, no_wait: bool) -> Stopped | None:
        """Show what is new, and bring its questions to people; gives why that is all."""
        try:
            self._show(look)
        except SystemExit:
            # How rich, and our JSON, say that nobody reads standard output any more.
            return Stopped.interrupted
        if look.full:
            return None
        if look.task.completed_at is not None:
            return Stopped.ended
        if not no_wait:
            self._bring_questions()
        elif look.task.status is TaskStatus.waiting:
            return Stopped.waiting
        return None

    async def _look(self) -> _Look | None:
        """What is new; `None` while the database is away, which the worker waits for too."""
        try:
            async with self._database.reading() as session:
                # The task before the events: those of its end are written together with it.
                task = await session.get(Task, self._task_id)
                if task is None:
                    raise SetupError("The task was deleted meanwhile.")
                operations = await session.scalars(
                    select(GitOperation).where(
                        GitOperation.task_id == self._task_id,
                        GitOperation.status != OperationStatus.running,
                        GitOperation.id.not_in(self._operations),
                    )
                )
                events = await read_events(session, self._task_id, after=self._after, limit=AT_ONCE)
        except DATABASE_ERRORS as error:
            if not is_disconnect(error):
                raise
            note("The database does not answer; waiting for it.")
            await asyncio.sleep(1.0)
            return None
        full = len(events) == AT_ONCE
        due = [each for each in operations if not full or _end_of(each) <= events[-1].created_at]
        return _Look(task, list(_merged(events, due)), full)

    def _show(self, look: _Look) -> None:
        if self._beginning is not None:
            self._view.begin(*self._beginning)
            self._beginning = None
        for each in look.happened:
            if isinstance(each, GitOperation):
                self._operations.add(each.id)
                if self._after >= self._show_after:
                    self._view.operation(each)
                continue
            self._after = each.sequence
            if each.sequence > self._show_after:
                self._view.event(each)
            if each.kind is TaskEventKind.question:
                self._keep_question(each)
        if not look.task.status.is_active:
            self._open.clear()

    def _keep_question(self, event: TaskEvent) -> None:
        request_id = UUID(event.payload["request_id"])
        if "title" in event.payload:
            self._open[request_id] = None
        else:
            self._open.pop(request_id, None)

    def _bring_questions(self) -> None:
        """Put one open question after the other to people; an end of one put elsewhere ends it."""
        if self._asking is not None:
            request_id, asking = self._asking
            if not asking.done():
                if request_id not in self._open:
                    asking.cancel()
                return
            self._asking = None
            _tell_of_failure(asking)
        for request_id in self._open:
            if request_id not in self._put:
                self._put.add(request_id)
                self._asking = request_id, asyncio.create_task(self._people.put(request_id))
                return

    async def _stop_asking(self) -> None:
        if self._asking is not None:
            _, asking = self._asking
            asking.cancel()
            await asyncio.wait({asking})
            _tell_of_failure(asking)


def _tell_of_failure(asking: asyncio.Task[None]) -> None:
    if asking.cancelled() or (error := asking.exception()) is None:
        return
    if not isinstance(error, AssayError):
        raise error
    note(f"[yellow]The answer was not taken:[/] {escape(str(error))}")


def _end_of(operation: GitOperation) -> datetime:
    return operation.created_at + timedelta(seconds=operation.duration or 0.0)


def _merged(
    events: Sequence[TaskEvent], operations: Iterable[GitOperation]
) -> Iterator[TaskEvent | GitOperation]:
    """Events in their order, and each step with git where it ended among them."""
    due = deque(sorted(operations, key=_end_of))
    for event in events:
        while due and _end_of(due[0]) <= event.created_at:
            yield due.popleft()
        yield event
    yield from due


async def until_cleared(database: Database, task_id: UUID, seconds: float) -> bool:
    """Wait until no sandbox of a task is there any more; gives whether that came in time."""
    query = select(Sandbox.id).where(Sandbox.task_id == task_id, Sandbox.status.in_(rows.ACTIVE))
    try:
        async with asyncio.timeout(seconds):
            while True:
                async with database.reading() as session:
                    if await session.scalar(query.limit(1)) is None:
                        return True
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        return False
