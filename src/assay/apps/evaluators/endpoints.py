"""Evaluators over HTTP."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from assay.apps.access import AppReader, AppWriter
from assay.apps.evaluators import service
from assay.apps.evaluators.models import Evaluator
from assay.apps.evaluators.schemas import (
    EvaluatorCreate,
    EvaluatorGlobal,
    EvaluatorRead,
    EvaluatorUpdate,
)
from assay.apps.evaluators.service import EvaluatorListingNotFound, EvaluatorNotFound
from assay.apps.wire import AppQuery, Deleted
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems

router = APIRouter(prefix="/evaluators", tags=["evaluators"], responses=problems(Invalid))


@router.get("", response_model=list[EvaluatorRead])
async def list_evaluators(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    app_id: AppQuery,
    listing_id: Annotated[UUID | None, Query(description="Only those of this listing")] = None,
) -> Sequence[Evaluator]:
    """List the evaluators of an app, or of one listing, newest first."""
    return await service.list_evaluators(session, actor, page, app_id, listing_id)


# Before what takes any word for the id of an evaluator.
@router.get("/registry", response_model=list[EvaluatorRead])
async def list_registry(
    session: Session, actor: AppReader, page: OffsetPaging, app_id: AppQuery
) -> Sequence[Evaluator]:
    """List the global evaluators of an app, newest first."""
    return await service.list_registry(session, actor, page, app_id)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=EvaluatorRead,
    responses=problems(EvaluatorListingNotFound),
)
async def create_evaluator(session: Session, actor: AppWriter, new: EvaluatorCreate) -> Evaluator:
    """Make an evaluator, for one listing or for none."""
    return await service.create_evaluator(session, actor, new)


@router.get("/{evaluator_id}", response_model=EvaluatorRead, responses=problems(EvaluatorNotFound))
async def get_evaluator(session: Session, actor: AppReader, evaluator_id: UUID) -> Evaluator:
    """Read an evaluator."""
    return await service.get_evaluator(session, actor, evaluator_id)


@router.put(
    "/{evaluator_id}",
    response_model=EvaluatorRead,
    responses=problems(EvaluatorNotFound, EvaluatorListingNotFound),
)
async def update_evaluator(
    session: Session, actor: AppWriter, evaluator_id: UUID, changes: EvaluatorUpdate
) -> Evaluator:
    """Change an evaluator: only the fields that are sent; null clears."""
    return await service.update_evaluator(session, actor, evaluator_id, changes)


@router.delete("/{evaluator_id}", responses=problems(EvaluatorNotFound))
async def delete_evaluator(session: Session, actor: AppWriter, evaluator_id: UUID) -> Deleted:
    """Delete an evaluator; copies of it stay."""
    await service.delete_evaluator(session, actor, evaluator_id)
    return Deleted(id=evaluator_id)


@router.post(
    "/{evaluator_id}/fork",
    status_code=status.HTTP_201_CREATED,
    response_model=EvaluatorRead,
    responses=problems(EvaluatorNotFound, EvaluatorListingNotFound),
)
async def fork_evaluator(
    session: Session,
    actor: AppWriter,
    evaluator_id: UUID,
    listing_id: Annotated[UUID | None, Query(description="The listing the copy is for")] = None,
) -> Evaluator:
    """Copy an evaluator; the copy is not global, and says what it is a copy of."""
    return await service.fork_evaluator(session, actor, evaluator_id, listing_id)


@router.put(
    "/{evaluator_id}/global",
    response_model=EvaluatorRead,
    responses=problems(EvaluatorNotFound),
)
async def set_global(
    session: Session, actor: AppWriter, evaluator_id: UUID, wanted: EvaluatorGlobal
) -> Evaluator:
    """Offer an evaluator for all listings of its app, or no longer."""
    return await service.set_global(session, actor, evaluator_id, is_global=wanted.is_global)
