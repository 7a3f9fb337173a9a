"""Evaluation runs over HTTP, and what they found."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query

from assay.apps.access import AppReader, AppWriter
from assay.apps.evaluations import service, statistics
from assay.apps.evaluations.models import (
    AdversarialEvaluation,
    ApiLog,
    EvaluationRun,
    EvaluationStatus,
    ThreadEvaluation,
)
from assay.apps.evaluations.schemas import (
    AdversarialEvaluationRead,
    ApiLogRead,
    EvaluationDay,
    EvaluationRunRead,
    EvaluationSummary,
    ThreadEvaluationRead,
)
from assay.apps.evaluations.service import (
    EvaluationRunActive,
    EvaluationRunNotFound,
    ThreadNotFound,
)
from assay.apps.wire import Deleted, Text20, Text50, Text200
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems

router = APIRouter(prefix="/eval-runs", tags=["app-runs"], responses=problems(Invalid))
threads = APIRouter(prefix="/threads", tags=["app-runs"], responses=problems(Invalid))

RunId = Annotated[Text20, Path()]
CommandQuery = Annotated[
    Text50 | None, Query(description="Only runs of this kind", examples=["evaluate-threads"])
]


@router.get("", response_model=list[EvaluationRunRead])
async def list_runs(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    command: CommandQuery = None,
    status: EvaluationStatus | None = None,
) -> Sequence[EvaluationRun]:
    """List your evaluation runs, newest first."""
    return await service.list_runs(session, actor, page, command=command, status=status)


# Before what takes any word for the id of a run.
@router.get("/stats/summary")
async def get_summary(
    session: Session, actor: AppReader, command: CommandQuery = None
) -> EvaluationSummary:
    """Read your evaluation runs in numbers, over all time."""
    return await statistics.summarize(session, actor, command)


@router.get("/stats/trends")
async def list_trends(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    days: Annotated[
        int, Query(ge=1, le=366, description="How many days, the last of which is today")
    ] = 30,
    command: CommandQuery = None,
) -> list[EvaluationDay]:
    """Read your evaluation runs in numbers by day of UTC, oldest first, also days without any."""
    return await statistics.list_days(session, actor, page, days, command)


@router.get(
    "/{app_run_id}", response_model=EvaluationRunRead, responses=problems(EvaluationRunNotFound)
)
async def get_run(session: Session, actor: AppReader, app_run_id: RunId) -> EvaluationRun:
    """Read an evaluation run."""
    return await service.get_run(session, actor, app_run_id)


@router.delete("/{app_run_id}", responses=problems(EvaluationRunNotFound, EvaluationRunActive))
async def delete_run(session: Session, actor: AppWriter, app_run_id: RunId) -> Deleted:
    """Delete an evaluation run with what it found and its log."""
    await service.delete_run(session, actor, app_run_id)
    return Deleted(id=app_run_id)


@router.get(
    "/{app_run_id}/threads",
    response_model=list[ThreadEvaluationRead],
    responses=problems(EvaluationRunNotFound),
)
async def list_run_threads(
    session: Session, actor: AppReader, page: OffsetPaging, app_run_id: RunId
) -> Sequence[ThreadEvaluation]:
    """List the conversations that a run judged, newest first."""
    return await service.list_parts(session, actor, page, ThreadEvaluation, app_run_id)


@router.get(
    "/{app_run_id}/adversarial",
    response_model=list[AdversarialEvaluationRead],
    responses=problems(EvaluationRunNotFound),
)
async def list_run_adversarial(
    session: Session, actor: AppReader, page: OffsetPaging, app_run_id: RunId
) -> Sequence[AdversarialEvaluation]:
    """List the adversarial conversations of a run, newest first."""
    return await service.list_parts(session, actor, page, AdversarialEvaluation, app_run_id)


@router.get(
    "/{app_run_id}/logs",
    response_model=list[ApiLogRead],
    responses=problems(EvaluationRunNotFound),
)
async def list_run_logs(
    session: Session, actor: AppReader, page: OffsetPaging, app_run_id: RunId
) -> Sequence[ApiLog]:
    """List the model calls of a run, newest first."""
    return await service.list_parts(session, actor, page, ApiLog, app_run_id)


@threads.get(
    # What others name their threads may have slashes in it.
    "/{thread_id:path}/history",
    response_model=list[ThreadEvaluationRead],
    responses=problems(ThreadNotFound),
)
async def list_thread_history(
    session: Session, actor: AppReader, page: OffsetPaging, thread_id: Annotated[Text200, Path()]
) -> Sequence[ThreadEvaluation]:
    """List how one conversation scored over your runs, newest first."""
    return await service.list_thread_history(session, actor, page, thread_id)
