"""A run in the hands of one worker: cells in flight, answers graded, results on their way.

Each model of the run has a lane with its own line of cells, so that a slow model never holds
up a fast one. All shards that this worker has of the run feed the same lanes.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from uuid import UUID

from assay.core.database import Database
from assay.gateway.cache import CacheMode
from assay.gateway.cached import is_fixed
from assay.gateway.service import DEFAULT_CONCURRENCY, Gateway
from assay.gateway.slots import Slots
from assay.jobs.handler import RunningJob
from assay.jobs.service import LostJob
from assay.playground.runs.budget import Budget
from assay.playground.runs.cells import work_cell
from assay.playground.runs.judging import Judging
from assay.playground.runs.models import RunStatus
from assay.playground.runs.people import People
from assay.playground.runs.rows import Holder, ResultRow, WaitingRow
from assay.playground.runs.specification import (
    Cell,
    ModelChoice,
    RunSpecification,
    load_specification,
)
from assay.playground.runs.stored_answers import regrade_cell
from assay.playground.runs.waiting.storing import keep_waiting
from assay.playground.runs.writer import ResultWriter

# Shards that a worker reads at a time, before it knows how much there is to do in them.
OPENING_AT_ONCE = 3

# Cells that a worker with all in hand that it may have keeps in line, as a multiple of those.
ROUNDS_IN_LINE = 5


WorkCell = Callable[[Holder, Cell], Awaitable[ResultRow | WaitingRow]]
"""Gives the result of a cell, or what waits for people, in the hands of the job that holds it."""


class ShardWork:
    """The cells of one shard that still need a result, and how far they are."""

    def __init__(self, job_id: UUID, attempt: int, cells: Sequence[Cell]) -> None:
        """`cells`: those without a stored result."""
        self.job_id = job_id
        self.attempt = attempt
        self.cells = cells
        self._to_store = len(cells)
        self._in_hand = 0
        self._stopped = False
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settle()

    @property
    def over(self) -> bool:
        """Whether its cells need not be asked any more."""
        return self._stopped or self._done.done()

    def begin(self) -> None:
        """A cell of it goes to its model."""
        self._in_hand += 1

    def stored(self, rows: int) -> None:
        """So many of its results are in the database."""
        self._to_store -= rows
        self._in_hand -= rows
        self._settle()

    def stop(self) -> None:
        """Begin no more cells; those in hand are still brought home."""
        self._stopped = True
        self._settle()

    def lost(self) -> None:
        """Another worker has it, or the run was cancelled."""
        self.fail(LostJob())

    def fail(self, error: BaseException) -> None:
        """End it with `error`."""
        if not self._done.done():
            self._done.set_exception(error)

    async def wait(self) -> bool:
        """Until its cells are stored; `False` when it was stopped with cells left.

        Raises:
            LostJob: it is no longer this worker's.
        """
        await asyncio.shield(self._done)
        return self._to_store == 0

    def _settle(self) -> None:
        ended = self._to_store == 0 or (self._stopped and self._in_hand == 0)
        if ended and not self._done.done():
            self._done.set_result(None)


class Lane:
    """The line of cells of one model, and the tasks that work them off."""

    def __init__(
        self, work_cell: WorkCell, budget: Budget, writer: ResultWriter, width: int
    ) -> None:
        """At most `width` cells are in hand at a time."""
        self._work_cell = work_cell
        self._budget = budget
        self._writer = writer
        self._width = width
        self._lines: deque[tuple[ShardWork, deque[Cell]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, shard: ShardWork, cells: Sequence[Cell]) -> None:
        """Queue the cells of a shard: one at once, the others behind the shards before it.

        The one proves early that the shard moves on. In turns, all shards would end in the same
        moment, and the lane would run dry until the next ones come.
        """
        if not cells:
            return
        self._lines.appendleft((shard, deque(cells[:1])))
        self._lines.append((shard, deque(cells[1:])))
        for _ in range(min(self._width - len(self._tasks), len(cells))):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @property
    def busy(self) -> int:
        """Cells in hand."""
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        """Cells in line."""
        return sum(len(cells) for _shard, cells in self._lines)

    def cancel(self) -> None:
        """Drop the line and break off what is in flight."""
        self._lines.clear()
        for task in self._tasks:
            task.cancel()

    async def _work(self) -> None:
        while (step := self._next()) is not None:
            shard, cell = step
            shard.begin()
            try:
                row = await self._work_cell(shard, cell)
            except Exception as error:  # noqa: BLE001  # the shard's job reports it
                shard.fail(error)
                continue
            self._budget.spend(row.cost)
            self._writer.add(row)
            await self._writer.room()

    def _next(self) -> tuple[ShardWork, Cell] | None:
        while self._lines:
            shard, cells = self._lines[0]
            if self._budget.reached:
                shard.stop()
            if cells and not shard.over:
                return shard, cells.popleft()
            self._lines.popleft()
        return None


class RunExecution:
    """All that one worker does for one run, shared by the jobs of its shards."""

    def __init__(
        self,
        database: Database,
        gateway: Gateway,
        people: People,
        specification: RunSpecification,
        slots: Slots,
        width: int,
    ) -> None:
        """`slots`: this worker's part of the run's concurrency, `width` the most it can be."""
        self.specification = specification
        self._shards: set[ShardWork] = set()
        self._writer = ResultWriter(
            database,
            specification.run_id,
            {choice.model_id: choice.config for choice in specification.models},
            self._see_status,
            partial(keep_waiting, database, people, specification),
        )
        self._judging = Judging(gateway, slots, specification.cache)
        self._lanes = {
            choice.model_id: Lane(
                _work_of(specification, choice, gateway, slots, self._judging),
                specification.budget,
                self._writer,
                width,
            )
            for choice in specification.models
        }
        self._task = asyncio.create_task(self._writer.run())
        self._task.add_done_callback(self._writer_ended)

    async def work(self, shard: ShardWork) -> bool:
        """Work off a shard; `False` when it was stopped before its end.

        Raises:
            LostJob: it is no longer this worker's.
        """
        self._shards.add(shard)
        self._writer.join(shard)
        try:
            for model_id, lane in self._lanes.items():
                mine = [cell for cell in shard.cells if cell.choice.model_id == model_id]
                lane.add(shard, mine)
            return await shard.wait()
        finally:
            shard.stop()
            self._shards.discard(shard)
            self._writer.leave(shard)

    @property
    def lanes(self) -> Iterable[Lane]:
        """The lanes of its models."""
        return self._lanes.values()

    async def close(self) -> None:
        """Break off whatever is left."""
        for lane in self._lanes.values():
            lane.cancel()
        self._judging.close()
        self._task.remove_done_callback(self._writer_ended)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _see_status(self, status: RunStatus | None) -> None:
        if status is None or not status.is_active:
            for lane in self._lanes.values():
                lane.cancel()
            for shard in list(self._shards):
                shard.lost()

    def _writer_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        for shard in list(self._shards):
            shard.fail(error or LostJob())


class RunExecutions:
    """The executions of one worker: one for each run that it has shards of."""

    def __init__(self, gateway: Gateway, people: People, max_in_flight: int) -> None:
        """`max_in_flight`: cells of a run in flight in this worker at most."""
        self._gateway = gateway
        self._people = people
        self._max_in_flight = max_in_flight
        self._open: dict[UUID, RunExecution] = {}
        self._users: dict[UUID, int] = {}
        self._opening: set[object] = set()
        self._lock = asyncio.Lock()

    def has_room(self) -> bool:
        """Whether one more shard would be worked on soon.

        Not while as many cells are in hand as this worker may have and some rounds more are in
        line: a worker with nothing to do can have the next shard instead.
        """
        if len(self._opening) >= OPENING_AT_ONCE:
            return False
        lanes = [lane for execution in self._open.values() for lane in execution.lanes]
        if sum(lane.busy for lane in lanes) < self._max_in_flight:
            return True
        return sum(lane.waiting for lane in lanes) < ROUNDS_IN_LINE * self._max_in_flight

    @contextlib.contextmanager
    def opening(self) -> Iterator[Callable[[], None]]:
        """A shard is being read; call what this yields once its cells are in line."""
        mark = object()
        self._opening.add(mark)
        try:
            yield lambda: self._opening.discard(mark)
        finally:
            self._opening.discard(mark)

    @contextlib.asynccontextmanager
    async def join(self, job: RunningJob, run_id: UUID) -> AsyncIterator[RunExecution | None]:
        """The execution of a run for the length of one job; `None` where the run is gone."""
        async with self._lock:
            if run_id not in self._open:
                async with job.database.session() as session:
                    specification = await load_specification(session, run_id)
                if specification is not None:
                    self._open[run_id] = self._execution(job.database, specification)
            self._users[run_id] = self._users.get(run_id, 0) + 1
        try:
            yield self._open.get(run_id)
        finally:
            async with self._lock:
                self._users[run_id] -= 1
                if not self._users[run_id]:
                    del self._users[run_id]
                    await self._close(run_id)

    def _execution(self, database: Database, specification: RunSpecification) -> RunExecution:
        concurrency = specification.concurrency or _concurrency(self._gateway, specification)
        slots = self._gateway.limits.slots(_scope(specification.run_id), concurrency)
        slots.cap = self._max_in_flight
        width = min(concurrency, self._max_in_flight)
        return RunExecution(database, self._gateway, self._people, specification, slots, width)

    async def _close(self, run_id: UUID) -> None:
        execution = self._open.pop(run_id, None)
        if execution is not None:
            await execution.close()
            await self._gateway.limits.forget(_scope(run_id))


def _work_of(
    specification: RunSpecification,
    choice: ModelChoice,
    gateway: Gateway,
    slots: Slots,
    judging: Judging,
) -> WorkCell:
    """How the cells of one model are worked on."""
    if specification.rescored_from_id is not None:
        return lambda holder, cell: regrade_cell(holder, specification, cell, judging)
    # What the cache is not for does not pass through it.
    cache = specification.cache if is_fixed(choice.parameters) else CacheMode.off
    model = gateway.model(choice.name, slots, cache)
    return lambda holder, cell: work_cell(holder, specification, cell, model, judging)


def _concurrency(gateway: Gateway, specification: RunSpecification) -> int:
    if specification.rescored_from_id is not None:
        return DEFAULT_CONCURRENCY
    return max(gateway.concurrency(choice.name) for choice in specification.models)


def _scope(run_id: UUID) -> str:
    return f"run:{run_id}"
