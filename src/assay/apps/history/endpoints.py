"""Endpoints of the history."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from assay.apps.access import AppReader, AppWriter
from assay.apps.history import service
from assay.apps.history.models import HistoryEntry
from assay.apps.history.schemas import HistoryCreate, HistoryFilter, HistoryRead
from assay.apps.history.service import HistoryEntryNotFound
from assay.apps.wire import Deleted
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import HttpOffsetPage, offset_paging
from assay.core.problems import problems

router = APIRouter(prefix="/history", tags=["history"], responses=problems(Invalid))
HistoryPaging = Annotated[HttpOffsetPage, Depends(offset_paging(50))]
ENTRY = "/{history_id}"


@router.get("", response_model=list[HistoryRead])
async def list_history(
    session: Session,
    actor: AppReader,
    page: HistoryPaging,
    wanted: Annotated[HistoryFilter, Query()],
) -> Sequence[HistoryEntry]:
    """List what you did in apps, newest first; filters are combined."""
    return await service.list_entries(session, actor, page, wanted)


@router.post("", status_code=status.HTTP_201_CREATED, response_model=HistoryRead)
async def create_history_entry(
    session: Session, actor: AppWriter, new: HistoryCreate
) -> HistoryEntry:
    """Write down something that was done."""
    return await service.create_entry(session, actor, new)


@router.get(ENTRY, response_model=HistoryRead, responses=problems(HistoryEntryNotFound))
async def get_history_entry(session: Session, actor: AppReader, history_id: UUID) -> HistoryEntry:
    """Read an entry."""
    return await service.get_entry(session, actor, history_id)


@router.delete(ENTRY, responses=problems(HistoryEntryNotFound))
async def delete_history_entry(session: Session, actor: AppWriter, history_id: UUID) -> Deleted:
    """Delete an entry."""
    await service.delete_entry(session, actor, history_id)
    return Deleted(id=history_id)
