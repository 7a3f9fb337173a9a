"""The job engine through its public surface: enqueue, handlers, records."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database
from assay.core.errors import Invalid
from assay.identity.actor import LOCAL_ACTOR, job_actor
from assay.jobs import service
from assay.jobs.handler import HandBack, JobHandler, RunningJob
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import MAX_FRUITLESS_STARTS, LostJob, NewJob
from assay.jobs.worker import JobWorker


class Recorder:
    """A handler that remembers what it was given."""

    def __init__(self, act: Callable[[RunningJob], Awaitable[None]] | None = None) -> None:
        self.started: list[RunningJob] = []
        self.failures: list[str] = []
        self._act = act

    async def run(self, job: RunningJob) -> None:
        self.started.append(job)
        if self._act is not None:
            await self._act(job)

    async def on_failure(self, _session: AsyncSession, _job: RunningJob, message: str) -> None:
        self.failures.append(message)

    @property
    def handler(self) -> JobHandler:
        return JobHandler(self.run, self.on_failure)


@contextlib.asynccontextmanager
async def working(
    database: Database, recorder: Recorder, *, shutdown_seconds: float = 5
) -> AsyncIterator[JobWorker]:
    worker = JobWorker(
        database, {"test": recorder.handler}, slots=4, shutdown_seconds=shutdown_seconds
    )
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def enqueue(database: Database, **params: Any) -> UUID:
    async with database.session() as session:
        [job] = await service.enqueue(session, LOCAL_ACTOR, NewJob("test", params))
        return job.id


async def ended(database: Database, job_id: UUID, *, seconds: float = 20) -> Job:
    async with asyncio.timeout(seconds):
        while True:
            async with database.session() as session:
                job = await service.get_job(session, LOCAL_ACTOR, job_id)
            if job.completed_at is not None:
                return job
            await asyncio.sleep(0.02)


async def test_a_job_is_run_and_its_record_completed(own_database: Database) -> None:
    recorder = Recorder()
    async with working(own_database, recorder):
        job = await ended(own_database, await enqueue(own_database, number=7))
    assert job.status is JobStatus.completed
    assert job.attempt == 1
    assert job.started_at is not None
    assert [dict(started.params) for started in recorder.started] == [{"number": 7}]
    assert recorder.started[0].actor == job_actor(LOCAL_ACTOR.user_id)


async def test_a_job_whose_transaction_fails_was_never_there(own_database: Database) -> None:
    recorder = Recorder()
    with pytest.raises(RuntimeError):
        async with own_database.session() as session:
            await service.enqueue(session, LOCAL_ACTOR, NewJob("test", {"number": 1}))
            raise RuntimeError
    async with working(own_database, recorder):
        await ended(own_database, await enqueue(own_database, number=2))
    assert [job.params["number"] for job in recorder.started] == [2]


async def test_a_clear_error_fails_the_job_at_once(own_database: Database) -> None:
    async def refuse(_job: RunningJob) -> None:
        raise Invalid("the moon is made of cheese")

    recorder = Recorder(refuse)
    async with working(own_database, recorder):
        job = await ended(own_database, await enqueue(own_database))
    assert job.status is JobStatus.failed
    assert job.error_message == "the moon is made of cheese"
    assert recorder.failures == ["the moon is made of cheese"]
    assert len(recorder.started) == 1


async def test_an_unexpected_error_is_tried_again(own_database: Database) -> None:
    async def fail_once(job: RunningJob) -> None:
        if job.attempt == 1:
            raise ValueError("not yet")

    recorder = Recorder(fail_once)
    async with working(own_database, recorder):
        job = await ended(own_database, await enqueue(own_database))
    assert job.status is JobStatus.completed
    assert [started.attempt for started in recorder.started] == [1, 2]


async def test_a_job_that_never_gets_anywhere_fails_with_a_clear_error(
    own_database: Database,
) -> None:
    recorder = Recorder()
    job_id = await enqueue(own_database)
    async with own_database.session() as session:
        await session.execute(
            text("UPDATE jobs.jobs SET fruitless_starts = :starts WHERE id = :id"),
            {"starts": MAX_FRUITLESS_STARTS, "id": job_id},
        )
    async with working(own_database, recorder):
        job = await ended(own_database, job_id)
    assert job.status is JobStatus.failed
    assert f"{MAX_FRUITLESS_STARTS} starts in a row" in (job.error_message or "")
    assert recorder.started == []
    assert recorder.failures == [job.error_message]


async def test_a_later_attempt_fences_off_the_earlier_one(own_database: Database) -> None:
    job_id = await enqueue(own_database)
    async with own_database.session() as session:
        first = await service.start(session, job_id)
    async with own_database.session() as session:
        second = await service.start(session, job_id)
    assert first is not None
    assert second is not None
    with pytest.raises(LostJob):
        async with own_database.session() as session:
            await service.hold(session, job_id, 1)
    with pytest.raises(LostJob):
        async with own_database.session() as session:
            await service.complete(session, job_id, 1)
    async with own_database.session() as session:
        await service.hold(session, job_id, 2)
        await service.complete(session, job_id, 2, {"answer": 42})
        job = await service.get_job(session, LOCAL_ACTOR, job_id)
        await session.refresh(job)
    assert (job.status, job.result) == (JobStatus.completed, {"answer": 42})
    async with own_database.session() as session:
        assert await service.start(session, job_id) is None


async def test_a_cancelled_job_is_not_started(own_database: Database) -> None:
    recorder = Recorder()
    job_id = await enqueue(own_database)
    async with own_database.session() as session:
        assert await service.cancel_jobs(session, LOCAL_ACTOR, parent_id=job_id) == 1
        assert await service.cancel_jobs(session, LOCAL_ACTOR, parent_id=job_id) == 0
    async with working(own_database, recorder):
        await ended(own_database, await enqueue(own_database, number=2))
    assert [job.params for job in recorder.started] == [{"number": 2}]


async def test_a_stopping_worker_hands_its_job_to_the_next(own_database: Database) -> None:
    async def wait_for_the_end(job: RunningJob) -> None:
        if job.attempt == 1:
            await job.stopping.wait()
            raise HandBack

    recorder = Recorder(wait_for_the_end)
    job_id = await enqueue(own_database)
    async with working(own_database, recorder):
        while not recorder.started:
            await asyncio.sleep(0.01)
    async with own_database.session() as session:
        job = await service.get_job(session, LOCAL_ACTOR, job_id)
    assert (job.status, job.fruitless_starts) == (JobStatus.queued, 0)
    async with working(own_database, recorder):
        job = await ended(own_database, job_id)
    assert (job.status, job.attempt) == (JobStatus.completed, 2)


async def test_a_job_that_finds_no_room_comes_back_later(own_database: Database) -> None:
    started: list[float] = []

    async def wait_twice(_job: RunningJob) -> None:
        started.append(asyncio.get_running_loop().time())
        if len(started) < 3:
            raise HandBack(timedelta(seconds=0.5))

    async with working(own_database, Recorder(wait_twice)):
        job = await ended(own_database, await enqueue(own_database))
    assert (job.status, job.attempt, job.fruitless_starts) == (JobStatus.completed, 3, 1)
    assert all(later - sooner >= 0.5 for sooner, later in pairwise(started))


async def test_a_job_that_does_not_stop_in_time_is_taken_from_its_handler(
    own_database: Database,
) -> None:
    async def ignore_everything(job: RunningJob) -> None:
        if job.attempt == 1:
            await asyncio.sleep(3600)

    recorder = Recorder(ignore_everything)
    job_id = await enqueue(own_database)
    async with working(own_database, recorder, shutdown_seconds=0.1):
        while not recorder.started:
            await asyncio.sleep(0.01)
    async with working(own_database, recorder):
        assert (await ended(own_database, job_id)).attempt == 2


async def test_a_job_whose_engine_entry_is_gone_is_adopted(own_database: Database) -> None:
    recorder = Recorder()
    job_id = await enqueue(own_database)
    async with own_database.session() as session:
        await session.execute(text("DELETE FROM jobs_engine.pgqueuer"))
    async with own_database.session() as session:
        assert await service.adopt_orphans(session) == 1
        assert await service.adopt_orphans(session) == 0
    async with working(own_database, recorder):
        assert (await ended(own_database, job_id)).status is JobStatus.completed


async def test_the_worker_outlives_the_loss_of_all_its_connections(
    own_database: Database,
) -> None:
    recorder = Recorder()
    async with working(own_database, recorder):
        await ended(own_database, await enqueue(own_database, number=1))
        connection = await asyncpg.connect(own_database.dsn)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        await own_database.dispose()
        await ended(own_database, await enqueue(own_database, number=2))
    assert [job.params["number"] for job in recorder.started] == [1, 2]
