"""Endpoints of tags."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, status

from assay.apps.access import AppReader, AppWriter
from assay.apps.tags import service
from assay.apps.tags.models import Tag
from assay.apps.tags.schemas import TagCreate, TagRead, TagUpdate
from assay.apps.tags.service import TagExists, TagNotFound
from assay.apps.wire import AppQuery, Deleted, NumberPath, Text100
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems

router = APIRouter(prefix="/tags", tags=["tags"], responses=problems(Invalid))


@router.get("", response_model=list[TagRead])
async def list_tags(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    app_id: AppQuery,
    q: Annotated[Text100 | None, Query(description="Part of the name, in any case")] = None,
) -> Sequence[Tag]:
    """List your tags in an app, most used first."""
    return await service.list_tags(session, actor, page, app_id, q)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=TagRead,
    responses=problems(TagExists),
)
async def create_tag(session: Session, actor: AppWriter, new: TagCreate) -> Tag:
    """Make a tag, as yet on no message."""
    return await service.create_tag(session, actor, new)


@router.post("/{tag_id}/increment", response_model=TagRead, responses=problems(TagNotFound))
async def increment_tag(session: Session, actor: AppWriter, tag_id: NumberPath) -> Tag:
    """Count a tag once more."""
    return await service.increment_tag(session, actor, tag_id)


@router.post("/{tag_id}/decrement", response_model=TagRead, responses=problems(TagNotFound))
async def decrement_tag(session: Session, actor: AppWriter, tag_id: NumberPath) -> Tag:
    """Count a tag once less, and never below 0."""
    return await service.decrement_tag(session, actor, tag_id)


@router.put("/{tag_id}", response_model=TagRead, responses=problems(TagNotFound))
async def rename_tag(
    session: Session, actor: AppWriter, tag_id: NumberPath, changes: TagUpdate
) -> Tag:
    """Rename a tag, also on all messages; with a tag that has the name already it becomes one."""
    return await service.rename_tag(session, actor, tag_id, changes.name)


@router.delete("/{tag_id}", responses=problems(TagNotFound))
async def delete_tag(session: Session, actor: AppWriter, tag_id: NumberPath) -> Deleted:
    """Delete a tag, and take it off all messages."""
    await service.delete_tag(session, actor, tag_id)
    return Deleted(id=tag_id)
