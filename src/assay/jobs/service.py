"""Enqueue, read, start and end jobs: every write of the job record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings
from pgqueuer.ports.driver import Driver
from sqlalchemy import BigInteger, column, exists, func, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import driver_connection
from assay.core.errors import AssayError, Conflict, NotFound
from assay.events.models import Topic
from assay.events.service import publish
from assay.identity.actor import Actor
from assay.jobs.models import Job, JobStatus

ENGINE_SETTINGS = DBSettings(db_schema="jobs_engine", channel="assay_jobs")

# More starts in a row than this without any progress, and a job counts as deadly.
MAX_FRUITLESS_STARTS = 10

_ACTIVE = (JobStatus.queued, JobStatus.running)
_engine_table = table(
    ENGINE_SETTINGS.queue_table, column("id", BigInteger), schema=ENGINE_SETTINGS.db_schema
)


class JobNotFound(NotFound):
    """There is no job with this id."""


class JobEnded(Conflict):
    """The job has already ended."""


class LostJob(AssayError):
    """Another worker has taken this job over, or it was cancelled; nothing was written."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be enqueued; among waiting jobs a higher priority goes first."""

    job_type: str
    params: Mapping[str, Any]
    priority: int = 0
    parent_id: UUID | None = None
    delay: timedelta | None = None


def engine_queries(driver: Driver) -> Queries:
    """PgQueuer's statements over `driver`, for its tables in their own schema."""
    return Queries(
        driver,
        qbe=QueryBuilderEnvironment(settings=ENGINE_SETTINGS),
        qbq=QueryQueueBuilder(settings=ENGINE_SETTINGS),
        qbs=QuerySchedulerBuilder(settings=ENGINE_SETTINGS),
    )


async def enqueue(session: AsyncSession, actor: Actor, *new: NewJob) -> list[Job]:
    """Enqueue jobs inside the transaction of the rows they serve; a worker sees them at commit."""
    jobs = [
        Job(
            job_type=job.job_type,
            params=dict(job.params),
            priority=job.priority,
            parent_id=job.parent_id,
            user_id=actor.user_id,
        )
        for job in new
    ]
    session.add_all(jobs)
    await session.flush()
    await _hand_to_engine(session, jobs, [job.delay for job in new])
    for job in jobs:
        _tell(session, job)
    return jobs


def _tell(session: AsyncSession, job: Job) -> None:
    """Tell readers of the feed where a job stands; parts of one are told of by the whole."""
    if job.parent_id is None:
        data = {"id": str(job.id), "job_type": job.job_type, "status": job.status}
        publish(session, Topic.jobs, f"job.{job.status}", data, subject=job.id, user_id=job.user_id)


async def _hand_to_engine(
    session: AsyncSession, jobs: Sequence[Job], delays: Sequence[timedelta | None]
) -> None:
    queries = engine_queries(AsyncpgDriver(await driver_connection(session)))
    engine_ids = await queries.enqueue(
        [job.job_type for job in jobs],
        [job.id.bytes for job in jobs],
        [job.priority for job in jobs],
        list(delays),
    )
    for job, engine_id in zip(jobs, engine_ids, strict=True):
        job.engine_id = engine_id
    await session.flush()


async def get_job(session: AsyncSession, actor: Actor, job_id: UUID) -> Job:
    """The actor's own job with this id.

    Raises:
        JobNotFound: there is none, or it is another's.
    """
    query = select(Job).where(Job.id == job_id, Job.user_id == actor.user_id)
    job = await session.scalar(query.execution_options(populate_existing=True))
    if job is None:
        raise JobNotFound
    return job


async def cancel_job(session: AsyncSession, actor: Actor, job_id: UUID) -> Job:
    """Cancel the actor's own job with all its parts; gives it as it then is.

    Raises:
        JobNotFound: there is none, or it is another's.
        JobEnded: there is nothing to cancel any more.
    """
    await get_job(session, actor, job_id)
    cancelled = await cancel_jobs(session, actor, parent_id=job_id)
    job = await get_job(session, actor, job_id)
    if not cancelled:
        raise JobEnded(f"The job has already ended: it is {job.status}.")
    return job


async def cancel_jobs(session: AsyncSession, _actor: Actor, *, parent_id: UUID) -> int:
    """Cancel the job `parent_id` and all under it that have not ended; gives their number.

    A worker on one of them finds out at its next write, which is refused.
    """
    cancelled = (
        await session.scalars(
            update(Job)
            .where((Job.id == parent_id) | (Job.parent_id == parent_id), Job.status.in_(_ACTIVE))
            .values(status=JobStatus.cancelled, completed_at=func.clock_timestamp())
            .returning(Job)
        )
    ).all()
    for job in cancelled:
        _tell(session, job)
    return len(cancelled)


async def start(session: AsyncSession, job_id: UUID) -> Job | None:
    """Begin a new attempt; `None` where the job has ended and there is nothing to do."""
    job = await session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.status.in_(_ACTIVE))
        .values(
            status=JobStatus.running,
            attempt=Job.attempt + 1,
            fruitless_starts=Job.fruitless_starts + 1,
            started_at=func.coalesce(Job.started_at, func.clock_timestamp()),
        )
        .returning(Job)
    )
    if job is not None:
        _tell(session, job)
    return job


async def hold(session: AsyncSession, job_id: UUID, attempt: int) -> None:
    """Make sure that this attempt still has the job, and that it keeps it until the commit.

    Raises:
        LostJob: a later attempt has begun, or the job has ended.
    """
    held = await session.scalar(
        select(Job.id)
        .where(Job.id == job_id, Job.attempt == attempt, Job.status == JobStatus.running)
        .with_for_update(read=True)
    )
    if held is None:
        raise LostJob


async def hold_and_move_on(session: AsyncSession, job_id: UUID, attempt: int) -> None:
    """As `hold`, for a write that shows that this start of the job was not in vain.

    Raises:
        LostJob: a later attempt has begun, or the job has ended.
    """
    held = await session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.attempt == attempt, Job.status == JobStatus.running)
        .values(fruitless_starts=0)
        .returning(Job.id)
    )
    if held is None:
        raise LostJob


async def _end_attempt(session: AsyncSession, job_id: UUID, attempt: int, **values: object) -> None:
    ended = await session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.attempt == attempt, Job.status == JobStatus.running)
        .values(**values)
        .returning(Job)
        .execution_options(populate_existing=True)
    )
    if ended is None:
        raise LostJob
    _tell(session, ended)


async def complete(
    session: AsyncSession, job_id: UUID, attempt: int, result: Mapping[str, Any] | None = None
) -> None:
    """End the job well, in the transaction of its last write.

    Raises:
        LostJob: this attempt no longer has the job.
    """
    await _end_attempt(
        session,
        job_id,
        attempt,
        status=JobStatus.completed,
        result=dict(result) if result is not None else None,
        completed_at=func.clock_timestamp(),
    )


async def fail(session: AsyncSession, job_id: UUID, attempt: int, message: str) -> None:
    """End the job badly, with a message for the person who looks at it.

    Raises:
        LostJob: this attempt no longer has the job.
    """
    await _end_attempt(
        session,
        job_id,
        attempt,
        status=JobStatus.failed,
        error_message=message,
        completed_at=func.clock_timestamp(),
    )


async def hand_back(session: AsyncSession, job_id: UUID, attempt: int) -> None:
    """Return the job to the queue without holding this attempt against it.

    Raises:
        LostJob: this attempt no longer has the job.
    """
    await _end_attempt(session, job_id, attempt, status=JobStatus.queued, fruitless_starts=0)


async def adopt_orphans(session: AsyncSession) -> int:
    """Give jobs whose engine entry is gone a new one; gives their number.

    The engine deletes an entry by its id alone when a worker reports success, also where
    that worker had lost the job. Should the rightful worker then die, nobody else would
    take over.
    """
    orphans = (
        await session.scalars(
            select(Job)
            .where(
                Job.status.in_(_ACTIVE),
                Job.engine_id.is_not(None),
                ~exists().where(_engine_table.c.id == Job.engine_id),
            )
            .with_for_update(skip_locked=True)
        )
    ).all()
    if orphans:
        await _hand_to_engine(session, orphans, [None] * len(orphans))
    return len(orphans)
