"""Rules and queries of evaluation runs and what they found."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.evaluations.models import (
    AdversarialEvaluation,
    ApiLog,
    EvaluationRun,
    EvaluationStatus,
    ThreadEvaluation,
)
from assay.apps.recording import tell
from assay.apps.totals import counted_total
from assay.core.errors import Conflict, NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor
from assay.jobs.models import Job, JobStatus

_Part = TypeVar("_Part", ThreadEvaluation, AdversarialEvaluation, ApiLog)


class EvaluationRunNotFound(NotFound):
    """There is no evaluation run with this id."""


class ThreadNotFound(NotFound):
    """None of your evaluation runs has judged a conversation with this id."""


class EvaluationRunActive(Conflict):
    """The run's job has not ended; cancel that first."""

    code = "run_active"


async def list_runs(
    session: AsyncSession,
    actor: Actor,
    page: OffsetPage,
    *,
    command: str | None = None,
    status: EvaluationStatus | None = None,
) -> Sequence[EvaluationRun]:
    """A page of the actor's runs, newest first."""
    query = select(EvaluationRun).where(owned(actor, EvaluationRun.user_id))
    if command is not None:
        query = query.where(EvaluationRun.command == command)
    if status is not None:
        query = query.where(EvaluationRun.status == status)
    order = EvaluationRun.created_at.desc(), EvaluationRun.id.desc()
    return await page.fetch(session, query, *order, total=counted_total(query, page))


async def get_run(session: AsyncSession, actor: Actor, run_id: str) -> EvaluationRun:
    """The run with this id.

    Raises:
        EvaluationRunNotFound
    """
    mine = owned(actor, EvaluationRun.user_id)
    run = await session.scalar(select(EvaluationRun).where(EvaluationRun.id == run_id, mine))
    if run is None:
        raise EvaluationRunNotFound
    return run


async def delete_run(session: AsyncSession, actor: Actor, run_id: str) -> None:
    """Delete a run with what it found and the log of its model calls.

    Raises:
        EvaluationRunNotFound
        EvaluationRunActive: its job waits or runs.
    """
    run = await get_run(session, actor, run_id)
    if run.job_id is not None:
        # Everywhere jobs are locked before their run, or two would wait for each other.
        query = select(Job.status).where(Job.id == run.job_id).with_for_update(read=True)
        if await session.scalar(query) in (JobStatus.queued, JobStatus.running):
            raise EvaluationRunActive
    await session.delete(run)
    await session.flush()
    tell(session, actor, "evaluation_run.deleted", run_id, command=run.command)


async def list_parts(
    session: AsyncSession, actor: Actor, page: OffsetPage, part: type[_Part], run_id: str
) -> Sequence[_Part]:
    """A page of what belongs to a run, newest first: of the table `part`.

    Raises:
        EvaluationRunNotFound
    """
    await get_run(session, actor, run_id)
    query: Select[_Part] = select(part).where(part.run_id == run_id)
    return await page.fetch(session, query, part.id.desc(), total=counted_total(query, page))


async def list_thread_history(
    session: AsyncSession, actor: Actor, page: OffsetPage, thread_id: str
) -> Sequence[ThreadEvaluation]:
    """A page of how one conversation scored over the actor's runs, newest first.

    Raises:
        ThreadNotFound: it is in none of them.
    """
    in_own_run = exists().where(
        EvaluationRun.id == ThreadEvaluation.run_id, owned(actor, EvaluationRun.user_id)
    )
    query = select(ThreadEvaluation).where(ThreadEvaluation.thread_id == thread_id, in_own_run)
    total = counted_total(query, page)
    found = await page.fetch(session, query, ThreadEvaluation.id.desc(), total=total)
    if not page.total:
        raise ThreadNotFound
    return found
