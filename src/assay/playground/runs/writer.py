"""Stores the results of a run: many rows a statement, with progress and fence in the same one."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError

from assay.core.database import DATABASE_ERRORS, Database, is_disconnect
from assay.jobs.service import LostJob
from assay.playground.runs.models import RunStatus
from assay.playground.runs.rows import Attempt, Holder, ResultRow, WaitingRow

log = structlog.get_logger(__name__)

# A write waits for whichever comes first.
FLUSH_SECONDS = 0.2
FLUSH_ROWS = 200
# With nothing to store, how often to look whether the run and its jobs are still ours.
LOOK_EVERY = 1.0
# How often readers of the feed are told of progress.
TELL_EVERY = 0.5
# So many rows waiting for a database that is away, and cells wait too.
MOST_WAITING = 5000
# Cells that wait for people are stored one by one; results come in between.
WAITING_AT_ONCE = 50
LONGEST_PAUSE = 2.0

KeepWaiting = Callable[[WaitingRow], Awaitable[ResultRow | None]]
"""Lets people be asked about a cell; gives its result where they cannot be.

Raises LostJob where its job is somebody else's, or the run has ended.
"""
_Outcome = TypeVar("_Outcome")


# One statement, so one round trip and one transaction: rows of a job that was lost, or of an
# item that was deleted meanwhile, are left out; a cell that has a result keeps it.
STORE = """
WITH incoming AS (
    SELECT * FROM unnest(
        $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[], $7::text[], $8::jsonb[],
        $9::jsonb[], $10::jsonb[], $11::boolean[], $12::float8[], $13::text[], $14::float8[],
        $20::smallint[], $21::float8[], $22::text[]
    ) AS row (job_id, id, item_id, model_id, request, output, output_json,
              grading, metrics, passed, score, error, cost, repetition, latency_ms, failed)
), held AS (
    SELECT job.id
    FROM jobs.jobs AS job
    JOIN unnest($15::uuid[], $16::int[]) AS mine (id, attempt)
        ON mine.id = job.id AND mine.attempt = job.attempt
    WHERE job.status = 'running'
    FOR SHARE OF job
), stored AS (
    INSERT INTO playground.eval_results (
        id, eval_run_id, dataset_item_id, model_id, repetition, model_config, request, output,
        output_json, grading, metrics, passed, score, error, latency_ms, cost, failed_assertions
    )
    SELECT row.id, $1, row.item_id, row.model_id, row.repetition, model.config, row.request,
        row.output, row.output_json, row.grading, row.metrics, row.passed, row.score, row.error,
        row.latency_ms, row.cost, row.failed::text[]
    FROM incoming AS row
    JOIN held ON held.id = row.job_id
    JOIN unnest($17::text[], $18::jsonb[]) AS model (id, config) ON model.id = row.model_id
    JOIN playground.dataset_items AS item ON item.id = row.item_id
    ON CONFLICT ON CONSTRAINT uq_eval_results_cell DO NOTHING
    RETURNING id, passed, error
), counted AS (
    SELECT count(*) AS cells,
        count(*) FILTER (WHERE stored.passed) AS passed,
        count(*) FILTER (WHERE stored.error IS NOT NULL) AS errors,
        coalesce(sum(incoming.cost), 0) AS cost
    FROM stored JOIN incoming USING (id)
), progress AS (
    UPDATE playground.eval_runs AS run
    SET completed = run.completed + counted.cells,
        passed = run.passed + counted.passed,
        failed = run.failed + counted.cells - counted.passed - counted.errors,
        errors = run.errors + counted.errors,
        cost = run.cost + counted.cost
    FROM counted
    WHERE run.id = $1 AND counted.cells > 0
    RETURNING run.*
), told AS (
    INSERT INTO events.events (type, topic, subject, project_id, data)
    SELECT 'run.progress', 'runs', id::text, project_id, jsonb_build_object(
        'id', id, 'project_id', project_id, 'name', name, 'status', status,
        'progress', jsonb_build_object(
            'total', total, 'completed', completed, 'passed', passed, 'failed', failed,
            'errors', errors, 'waiting', waiting, 'cost', cost,
            'percent', round(100.0 * completed / greatest(total, 1), 1)
        )
    )
    FROM progress WHERE $19
), moved_on AS (
    UPDATE jobs.jobs AS job
    SET fruitless_starts = 0
    FROM (SELECT DISTINCT row.job_id FROM stored JOIN incoming AS row USING (id)) AS fruitful
    WHERE job.id = fruitful.job_id AND job.fruitless_starts > 0
)
SELECT (SELECT status FROM playground.eval_runs WHERE id = $1) AS status,
    ARRAY (SELECT id FROM held) AS held
"""


class ResultWriter:
    """Collects rows of one run and stores them every 200 ms, or 200 rows.

    Cells that wait for people are stored behind them, each by itself. A database that is away is
    waited for, with the rows kept. `on_status` gets the run's status with every write, so that a
    cancel is seen within a second.
    """

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        model_configs: dict[str, str],
        on_status: Callable[[RunStatus | None], None],
        keep_waiting: KeepWaiting,
    ) -> None:
        """`model_configs`: JSON text of the model entry for each model id of the run."""
        self._database = database
        self._run_id = run_id
        self._configs = model_configs
        self._on_status = on_status
        self._keep_waiting = keep_waiting
        self._holders: dict[UUID, Holder] = {}
        self._rows: list[ResultRow] = []
        self._waiting: list[WaitingRow] = []
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._told_at = 0.0

    def join(self, holder: Holder) -> None:
        """Rows of `holder` may come from now on."""
        self._holders[holder.job_id] = holder
        self._arrived.set()

    def leave(self, holder: Holder) -> None:
        """No more rows of `holder` will come."""
        self._holders.pop(holder.job_id, None)

    def add(self, row: ResultRow | WaitingRow) -> None:
        """Store `row` with the next write."""
        self._arrived.set()
        if isinstance(row, WaitingRow):
            self._waiting.append(row)
        else:
            self._rows.append(row)
        if len(self._rows) >= FLUSH_ROWS:
            self._enough.set()
        if len(self._rows) + len(self._waiting) >= MOST_WAITING:
            self._room.clear()

    async def room(self) -> None:
        """Wait while too many rows are waiting for the database."""
        await self._room.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            if not self._rows and not self._waiting:
                self._arrived.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), LOOK_EVERY)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), FLUSH_SECONDS)
            if self._holders:
                await self._flush()

    async def _flush(self) -> None:
        rows, self._rows = self._rows, []
        self._enough.clear()
        self._room.set()
        holders = list(self._holders.values())
        status, held = await self._store(rows, holders)
        counts: dict[UUID, int] = {}
        for row in rows:
            counts[row.holder.job_id] = counts.get(row.holder.job_id, 0) + 1
        for holder in holders:
            if holder.job_id not in held:
                holder.lost()
            elif holder.job_id in counts:
                holder.stored(counts[holder.job_id])
        self._on_status(status)
        await self._flush_waiting()

    async def _flush_waiting(self) -> None:
        # One after the other, and never beside the results: both lock the job, then the run.
        rows, self._waiting = self._waiting[:WAITING_AT_ONCE], self._waiting[WAITING_AT_ONCE:]
        for row in rows:
            try:
                result = await self._patiently(partial(self._keep_waiting, row), 1)
            except LostJob:
                row.holder.lost()
                continue
            if result is None:
                row.holder.stored(1)
            else:
                self.add(result)
        if self._waiting:
            self._enough.set()

    async def _store(
        self, rows: Sequence[ResultRow], holders: Sequence[Holder]
    ) -> tuple[RunStatus | None, set[UUID]]:
        values = _arguments(self._run_id, self._configs, rows, holders, self._is_time_to_tell())

        async def write() -> asyncpg.Record:
            async with self._database.connection() as connection:
                return await connection.fetchrow(STORE, *values)

        outcome = await self._patiently(write, len(rows))
        status = RunStatus(outcome["status"]) if outcome["status"] else None
        return status, set(outcome["held"])

    async def _patiently(self, write: Callable[[], Awaitable[_Outcome]], rows: int) -> _Outcome:
        """What `write` gives, once the database is there."""
        pause, since = 0.1, time.monotonic()
        while True:
            try:
                return await write()
            except (asyncpg.ForeignKeyViolationError, asyncpg.DeadlockDetectedError):
                # An item was deleted between the look and the insert: look again.
                await asyncio.sleep(0)
            except DATABASE_ERRORS as error:
                if _is_deadlock(error):
                    continue
                if not is_disconnect(error):
                    raise
                log.warning(
                    "database away, results wait",
                    rows=rows,
                    seconds=round(time.monotonic() - since, 1),
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _is_time_to_tell(self) -> bool:
        now = time.monotonic()
        if now - self._told_at < TELL_EVERY:
            return False
        self._told_at = now
        return True


def _is_deadlock(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and isinstance(
        error.orig.__cause__ if error.orig else None, asyncpg.DeadlockDetectedError
    )


async def store_result(
    connection: asyncpg.Connection, run_id: UUID, model_configs: Mapping[str, str], row: ResultRow
) -> None:
    """Store one row in the transaction of `connection`, and tell of the run's progress."""
    await connection.fetchrow(STORE, *_arguments(run_id, model_configs, [row], [row.holder], True))


def _arguments(
    run_id: UUID,
    model_configs: Mapping[str, str],
    rows: Sequence[ResultRow],
    holders: Sequence[Attempt],
    tell: bool,
) -> list[object]:
    return [
        run_id,
        [row.holder.job_id for row in rows],
        [row.id for row in rows],
        [row.item_id for row in rows],
        [row.model_id for row in rows],
        [row.request for row in rows],
        [row.output for row in rows],
        [row.output_json for row in rows],
        [row.grading for row in rows],
        [row.metrics for row in rows],
        [row.passed for row in rows],
        [row.score for row in rows],
        [row.error for row in rows],
        [row.cost for row in rows],
        [holder.job_id for holder in holders],
        [holder.attempt for holder in holders],
        list(model_configs),
        list(model_configs.values()),
        tell,
        [row.repetition for row in rows],
        [row.latency_ms for row in rows],
        # Arrays of arrays would all have to be of one length, so each is its text.
        [_array(row.failed_assertions) for row in rows],
    ]


def _array(names: Sequence[str]) -> str:
    """An array of texts in PostgreSQL's own notation."""
    if not names:
        return "{}"
    escaped = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return "{" + ",".join(f'"{name}"' for name in escaped) + "}"
