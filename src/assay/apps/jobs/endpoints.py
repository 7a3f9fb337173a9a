"""Jobs over HTTP, as the front ends see them."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, status

from assay.apps.access import AppReader, AppWriter
from assay.apps.jobs import service
from assay.apps.jobs.schemas import JobCreate, JobRead
from assay.apps.jobs.service import Handlers, JobNotStartable, PartOfSomething
from assay.apps.wire import Text50
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems
from assay.jobs import service as engine
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import JobEnded, JobNotFound

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=problems(Invalid))


def _handlers(request: Request) -> Handlers:
    return cast("Handlers", request.app.state.job_handlers)


JobHandlers = Annotated[Handlers, Depends(_handlers)]


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=JobRead,
    responses=problems(JobNotStartable),
)
async def start_job(
    session: Session, actor: AppWriter, handlers: JobHandlers, new: JobCreate
) -> Job:
    """Start a job; it is done in the background."""
    return await service.start_job(session, actor, handlers, new)


@router.get("", response_model=list[JobRead])
async def list_jobs(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    status: JobStatus | None = None,
    job_type: Text50 | None = None,
) -> Sequence[Job]:
    """List your jobs, newest first."""
    return await service.list_jobs(session, actor, page, status=status, job_type=job_type)


@router.get("/{job_id}", response_model=JobRead, responses=problems(JobNotFound))
async def get_job(session: Session, actor: AppReader, job_id: UUID) -> Job:
    """Read a job with its status and progress."""
    return await engine.get_job(session, actor, job_id)


@router.post(
    "/{job_id}/cancel",
    response_model=JobRead,
    responses=problems(JobNotFound, JobEnded, PartOfSomething),
)
async def cancel_job(
    session: Session, actor: AppWriter, handlers: JobHandlers, job_id: UUID
) -> Job:
    """Cancel a job that waits or runs; what it has stored stays."""
    return await service.cancel_job(session, actor, handlers, job_id)
