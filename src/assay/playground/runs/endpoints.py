"""Runs over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from assay.core.database import Session
from assay.core.errors import Conflict, Invalid, NotFound
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.gateway.service import Gateway
from assay.playground.access import Editor, Reader
from assay.playground.runs import service
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus
from assay.playground.runs.schemas import EvalResultRead, EvalRunCreate, EvalRunRead, RunSummary

router = APIRouter(prefix="/eval-runs", tags=["runs"])


def _gateway(request: Request) -> Gateway:
    return cast("Gateway", request.app.state.gateway)


@router.post("", status_code=202, response_model=EvalRunRead, responses=problems(Invalid, NotFound))
async def create_run(
    data: EvalRunCreate,
    session: Session,
    actor: Editor,
    gateway: Annotated[Gateway, Depends(_gateway)],
) -> EvalRun:
    """Start a run: every item of a dataset asked of every model, graded and stored."""
    return await service.create_run(session, actor, gateway, data)


@router.get("", response_model=list[EvalRunRead], responses=problems(Invalid))
async def list_runs(
    session: Session,
    actor: Reader,
    page: Paging,
    project_id: UUID | None = None,
    prompt_id: UUID | None = None,
    dataset_id: UUID | None = None,
    status: RunStatus | None = None,
) -> Sequence[EvalRun]:
    """List runs, newest first."""
    return await service.list_runs(
        session,
        actor,
        page,
        project_id=project_id,
        prompt_id=prompt_id,
        dataset_id=dataset_id,
        status=status,
    )


@router.get("/{run_id}", response_model=EvalRunRead, responses=problems(Invalid, NotFound))
async def get_run(run_id: UUID, session: Session, actor: Reader) -> EvalRun:
    """Read a run with its progress, and its summary once it has ended."""
    return await service.get_run(session, actor, run_id)


@router.delete("/{run_id}", status_code=204, responses=problems(Invalid, NotFound, Conflict))
async def delete_run(run_id: UUID, session: Session, actor: Editor) -> None:
    """Delete an ended run with its results."""
    await service.delete_run(session, actor, run_id)


@router.post(
    "/{run_id}/cancel",
    response_model=EvalRunRead,
    responses=problems(Invalid, NotFound, Conflict),
)
async def cancel_run(run_id: UUID, session: Session, actor: Editor) -> EvalRun:
    """Stop a run; what is stored stays, and it can be resumed."""
    return await service.cancel_run(session, actor, run_id)


@router.post(
    "/{run_id}/resume",
    status_code=202,
    response_model=EvalRunRead,
    responses=problems(Invalid, NotFound, Conflict),
)
async def resume_run(run_id: UUID, session: Session, actor: Editor) -> EvalRun:
    """Go on with a canceled or failed run; only cells without a result are asked."""
    return await service.resume_run(session, actor, run_id)


@router.get(
    "/{run_id}/results",
    response_model=list[EvalResultRead],
    responses=problems(Invalid, NotFound),
)
async def list_results(
    run_id: UUID,
    session: Session,
    actor: Reader,
    page: Paging,
    model: Annotated[str | None, Query(description="Only those of this model")] = None,
    passed: Annotated[bool | None, Query(description="Only those that passed, or did not")] = None,
) -> Sequence[EvalResult]:
    """List the results of a run in the order of the dataset's items."""
    return await service.list_results(session, actor, page, run_id, model=model, passed=passed)


@router.get("/{run_id}/summary", response_model=RunSummary, responses=problems(Invalid, NotFound))
async def get_summary(run_id: UUID, session: Session, actor: Reader) -> dict[str, Any]:
    """Read what came out of a run so far, over all and for each model."""
    return await service.get_summary(session, actor, run_id)
