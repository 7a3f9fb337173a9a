"""Runs over HTTP."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from assay.core.database import Session
from assay.core.errors import Conflict, Invalid, NotFound
from assay.core.idempotency import IdempotencyKey, Once
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.gateway.service import Gateway
from assay.playground.access import Editor, Reader
from assay.playground.runs import rescoring, resuming, service, starting
from assay.playground.runs.models import EvalRun, RunStatus
from assay.playground.runs.people import AskedPeople
from assay.playground.runs.schemas import (
    Estimate,
    EvalRunCreate,
    EvalRunRead,
    EvalRunRerun,
    EvalRunRescore,
    EvalRunResume,
)

router = APIRouter(prefix="/eval-runs", tags=["runs"])


def _gateway(request: Request) -> Gateway:
    return cast("Gateway", request.app.state.gateway)


ModelGateway = Annotated[Gateway, Depends(_gateway)]


@router.post("", status_code=202, response_model=EvalRunRead, responses=problems(Invalid, NotFound))
async def create_run(
    data: EvalRunCreate,
    session: Session,
    actor: Editor,
    gateway: ModelGateway,
    people: AskedPeople,
    idempotency_key: IdempotencyKey = None,
) -> EvalRun:
    """Start a run: every item of a dataset asked of every model, graded and stored."""
    once = Once.of(idempotency_key, "create", data)
    return await starting.create_run(session, actor, gateway, people, data, once)


@router.post("/estimate", responses=problems(Invalid, NotFound))
async def estimate_run(
    data: EvalRunCreate, session: Session, actor: Editor, gateway: ModelGateway
) -> Estimate:
    """Estimate what a run would take in cells, tokens and USD; nothing is started."""
    return await starting.estimate_run(session, actor, gateway, data)


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
async def cancel_run(run_id: UUID, session: Session, actor: Editor, people: AskedPeople) -> EvalRun:
    """Stop a run; what is stored stays, and it can be resumed."""
    return await service.cancel_run(session, actor, people, run_id)


@router.post(
    "/{run_id}/resume",
    status_code=202,
    response_model=EvalRunRead,
    responses=problems(Invalid, NotFound, Conflict),
)
async def resume_run(
    run_id: UUID,
    session: Session,
    actor: Editor,
    gateway: ModelGateway,
    data: EvalRunResume | None = None,
) -> EvalRun:
    """Go on with a canceled or failed run; only cells without a result are asked."""
    return await resuming.resume_run(session, actor, gateway, run_id, data)


@router.post(
    "/{run_id}/rerun-failed",
    status_code=202,
    response_model=EvalRunRead,
    responses=problems(Invalid, NotFound, Conflict),
)
async def rerun_failed(
    run_id: UUID, data: EvalRunRerun, session: Session, actor: Editor, gateway: ModelGateway
) -> EvalRun:
    """Ask cells of an ended run again: those with an error, or all that did not pass."""
    return await resuming.rerun_failed(session, actor, gateway, run_id, data)


@router.post(
    "/{run_id}/rescore",
    status_code=202,
    response_model=EvalRunRead,
    responses=problems(Invalid, NotFound, Conflict),
)
async def rescore_run(
    run_id: UUID,
    data: EvalRunRescore,
    session: Session,
    actor: Editor,
    gateway: ModelGateway,
    people: AskedPeople,
    idempotency_key: IdempotencyKey = None,
) -> EvalRun:
    """Start a run that grades the stored answers of an ended one anew, without asking models."""
    once = Once.of(idempotency_key, f"rescore {run_id}", data)
    return await rescoring.rescore_run(session, actor, gateway, people, run_id, data, once)
