"""The engine: takes jobs from PostgreSQL, runs their handlers, and minds their records."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from opentelemetry import trace
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as EngineJob
from pgqueuer.domain.types import QueueEntrypoint

from assay.core.database import DATABASE_ERRORS, Database, is_disconnect
from assay.core.errors import AssayError
from assay.core.telemetry import tracer
from assay.identity.actor import job_actor
from assay.jobs import service
from assay.jobs.driver import SteadyDriver, until_connected
from assay.jobs.handler import HandBack, JobHandler, RunningJob
from assay.jobs.models import Job
from assay.jobs.service import ENGINE_SETTINGS, MAX_FRUITLESS_STARTS, LostJob, engine_queries

log = structlog.get_logger(__name__)

# A worker silent for this long is taken for dead and its jobs are taken over.
HEARTBEAT_TIMEOUT = timedelta(seconds=6)
# How often a worker looks for work by itself, beside being notified.
POLL = timedelta(seconds=2)
ORPHANS_EVERY = 15.0
LONGEST_BACKOFF = 60.0


class _Manager(QueueManager):
    """PgQueuer's manager, which takes only what this worker has room for."""

    def __init__(self, pool: asyncpg.Pool, handlers: Mapping[str, JobHandler]) -> None:
        super().__init__(engine_queries(SteadyDriver(pool)), channel=ENGINE_SETTINGS.channel)
        self._handlers = handlers

    def entrypoints_below_capacity_limits(self) -> set[QueueEntrypoint]:
        ready = {name for name, handler in self._handlers.items() if handler.ready()}
        return {name for name in self.entrypoint_registry if name in ready}


class JobWorker:
    """Runs up to `slots` jobs at a time until it is stopped.

    Any number of workers on any number of machines may share one database. A restart of
    PostgreSQL is waited for. One that is killed is noticed by its silence and its jobs go on
    elsewhere.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, JobHandler],
        *,
        slots: int,
        shutdown_seconds: float,
    ) -> None:
        """Serve the job types of `handlers`; on stopping, jobs get `shutdown_seconds` to end."""
        self._database = database
        self._handlers = handlers
        self._slots = slots
        self._shutdown_seconds = shutdown_seconds
        self._stopping = asyncio.Event()
        self._deadline = asyncio.Event()
        self._manager: QueueManager | None = None

    def stop(self) -> None:
        """Take no more jobs, let the running ones end or be handed back; `run` then returns."""
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()

    async def run(self) -> None:
        """Work until `stop` is called. Started again by itself if the engine fails."""
        while not self._stopping.is_set():
            try:
                async with self._pool() as pool:
                    await self._serve(pool)
            except Exception as error:  # a worker that ends takes no job any more
                log.exception("job engine failed, starting it again", exc_info=error)
                await asyncio.sleep(1)

    @contextlib.asynccontextmanager
    async def _pool(self) -> AsyncIterator[asyncpg.Pool]:
        # Two for the engine's statements, one that listens.
        pool = await until_connected(
            lambda: asyncpg.create_pool(
                self._database.dsn,
                min_size=0,
                max_size=3,
                server_settings={"application_name": "assay jobs", "jit": "off"},
            )
        )
        try:
            yield pool
        finally:
            # Closing politely would wait for a server that may be away.
            pool.terminate()

    async def _serve(self, pool: asyncpg.Pool) -> None:
        manager = _Manager(pool, self._handlers)
        for job_type in self._handlers:
            manager.entrypoint(job_type, accepts_context=False)(self._run_engine_job)
        self._manager = manager
        if self._stopping.is_set():
            return
        minder = asyncio.create_task(self._adopt_orphans())
        timer = asyncio.create_task(self._limit_shutdown())
        try:
            await manager.run(
                dequeue_timeout=POLL,
                batch_size=1,
                max_concurrent_tasks=self._slots,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
            )
        finally:
            minder.cancel()
            timer.cancel()
            await asyncio.gather(minder, timer, return_exceptions=True)

    async def _limit_shutdown(self) -> None:
        await self._stopping.wait()
        await asyncio.sleep(self._shutdown_seconds)
        self._deadline.set()

    async def _adopt_orphans(self) -> None:
        while True:
            await asyncio.sleep(ORPHANS_EVERY)
            try:
                async with self._database.session() as session:
                    adopted = await service.adopt_orphans(session)
            except DATABASE_ERRORS as error:
                log.warning("could not look for orphaned jobs", error=str(error))
            else:
                if adopted:
                    log.warning("orphaned jobs given back to the engine", jobs=adopted)

    async def _run_engine_job(self, engine_job: EngineJob) -> None:
        job_id = UUID(bytes=engine_job.payload or b"")
        job = await self._start(job_id)
        if job is None:
            return
        running = RunningJob(
            id=job.id,
            job_type=job.job_type,
            params=job.params,
            attempt=job.attempt,
            parent_id=job.parent_id,
            actor=job_actor(job.user_id),
            database=self._database,
            stopping=self._stopping,
        )
        with structlog.contextvars.bound_contextvars(job_id=str(job.id), job_type=job.job_type):
            if job.fruitless_starts > MAX_FRUITLESS_STARTS:
                await self._fail(
                    running,
                    f"Given up after {MAX_FRUITLESS_STARTS} starts in a row without any "
                    "progress: the worker died or failed each time.",
                )
                return
            attributes: dict[str, str | int] = {
                "assay.job.id": str(job.id),
                "assay.job.attempt": job.attempt,
            }
            # What is handed back is no failure; what failed is put into the span where it shows.
            with tracer.start_as_current_span(
                f"job {job.job_type}",
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            ):
                await self._run_handler(running, job.fruitless_starts)

    async def _start(self, job_id: UUID) -> Job | None:
        while True:
            try:
                async with self._database.session() as session:
                    return await service.start(session, job_id)
            except DATABASE_ERRORS as error:
                if not is_disconnect(error):
                    raise
                await asyncio.sleep(0.5)

    async def _run_handler(self, running: RunningJob, fruitless_starts: int) -> None:
        handler = self._handlers[running.job_type]
        work = asyncio.ensure_future(handler.run(running))
        deadline = asyncio.ensure_future(self._deadline.wait())
        try:
            await asyncio.wait({work, deadline}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
                await self._hand_back(running)
                return
            await work
            with contextlib.suppress(LostJob):
                async with self._database.session() as session:
                    await running.complete(session)
        except LostJob:
            log.info("job lost to another attempt or cancelled", attempt=running.attempt)
        except HandBack as back:
            await self._hand_back(running, back.delay)
        except RetryRequested:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a handler raises is the job's failure
            await self._failed_attempt(running, fruitless_starts, error)
        finally:
            work.cancel()
            deadline.cancel()

    async def _hand_back(self, running: RunningJob, delay: timedelta = timedelta()) -> None:
        try:
            async with self._database.session() as session:
                await service.hand_back(session, running.id, running.attempt)
        except LostJob:
            return
        raise RetryRequested(delay, reason="handed back")

    async def _failed_attempt(
        self, running: RunningJob, fruitless_starts: int, error: Exception
    ) -> None:
        span = trace.get_current_span()
        span.record_exception(error)
        span.set_status(trace.StatusCode.ERROR)
        if isinstance(error, AssayError) and not is_disconnect(error):
            # A clear error of ours does not go away by trying again.
            await self._fail(running, str(error))
            return
        log.exception("job failed", exc_info=error, attempt=running.attempt)
        if fruitless_starts >= MAX_FRUITLESS_STARTS:
            await self._fail(running, f"{type(error).__name__}: {error}")
            return
        delay = min(2.0 ** min(fruitless_starts, 6), LONGEST_BACKOFF)
        raise RetryRequested(delay=timedelta(seconds=delay), reason=type(error).__name__)

    async def _fail(self, running: RunningJob, message: str) -> None:
        with contextlib.suppress(LostJob):
            async with self._database.session() as session:
                await service.fail(session, running.id, running.attempt, message)
                await self._handlers[running.job_type].on_failure(session, running, message)
