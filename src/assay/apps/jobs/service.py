"""Jobs that people start by themselves, and the actor's jobs of every type."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.evaluations.models import EvaluationRun, EvaluationStatus
from assay.apps.jobs.schemas import JobCreate
from assay.apps.recording import tell
from assay.apps.totals import counted_total
from assay.core.errors import Conflict, FieldFault, Invalid
from assay.core.offsets import OffsetPage
from assay.core.problems import place
from assay.identity.actor import Actor
from assay.jobs import service as engine
from assay.jobs.handler import JobHandler
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import NewJob

Handlers = Mapping[str, JobHandler]


class JobNotStartable(Invalid):
    """Nobody can start a job of this type here."""

    code = "job_not_startable"


class PartOfSomething(Conflict):
    """The job does the work of something else, such as a run; cancel that."""

    code = "part_of_something"


async def start_job(session: AsyncSession, actor: Actor, handlers: Handlers, new: JobCreate) -> Job:
    """Start a job of a type that has a handler and that people may start.

    Raises:
        JobNotStartable: the type is not one of these; the message has those that are.
        Invalid: the parameters are not of the type's shape.
    """
    shape = _shape(handlers, new.job_type)
    if shape is None:
        names = sorted(name for name in handlers if _shape(handlers, name) is not None)
        message = f"What can be started is {', '.join(names) or 'nothing as yet'}."
        raise JobNotStartable(message, errors=[FieldFault("body.job_type", message)])
    [job] = await engine.enqueue(session, actor, NewJob(new.job_type, _checked(shape, new.params)))
    tell(session, actor, "app_job.started", job.id, job_type=job.job_type)
    return job


async def list_jobs(
    session: AsyncSession,
    actor: Actor,
    page: OffsetPage,
    *,
    status: JobStatus | None = None,
    job_type: str | None = None,
) -> Sequence[Job]:
    """A page of the actor's own jobs, newest first; parts of a job are not listed."""
    query = select(Job).where(owned(actor, Job.user_id), Job.parent_id.is_(None))
    if status is not None:
        query = query.where(Job.status == status)
    if job_type is not None:
        query = query.where(Job.job_type == job_type)
    return await page.fetch(session, query, Job.id.desc(), total=counted_total(query, page))


async def cancel_job(session: AsyncSession, actor: Actor, handlers: Handlers, job_id: UUID) -> Job:
    """Cancel a job that people can start, and the evaluation run that it serves.

    Raises:
        JobNotFound, JobEnded
        PartOfSomething: cancelling it alone would leave what it serves waiting for ever.
    """
    job = await engine.get_job(session, actor, job_id)
    if job.parent_id is not None or _shape(handlers, job.job_type) is None:
        raise PartOfSomething
    # Everywhere jobs are locked before their run, or two would wait for each other.
    job = await engine.cancel_job(session, actor, job_id)
    await session.execute(
        update(EvaluationRun)
        .where(EvaluationRun.job_id == job_id, EvaluationRun.status == EvaluationStatus.running)
        .values(status=EvaluationStatus.cancelled)
    )
    tell(session, actor, "app_job.cancelled", job_id, job_type=job.job_type)
    return job


def _shape(handlers: Handlers, job_type: str) -> type[BaseModel] | None:
    handler = handlers.get(job_type)
    return None if handler is None else handler.params


def _checked(shape: type[BaseModel], params: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return shape.model_validate(params).model_dump(mode="json")
    except ValidationError as error:
        faults: Sequence[FieldFault] = [
            FieldFault(place(("body", "params", *fault["loc"])), fault["msg"])
            for fault in error.errors(include_url=False)
        ]
        raise Invalid("The parameters are not what this type takes.", errors=faults) from None
