"""Endpoints of chat messages and the tags on them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, status
from starlette.convertors import Convertor, register_url_convertor

from assay.apps.access import AppReader, AppWriter
from assay.apps.chat.messages import service
from assay.apps.chat.messages.schemas import (
    MessageCreate,
    MessageRead,
    MessageTag,
    MessageUpdate,
)
from assay.apps.chat.messages.service import MessageNotFound
from assay.apps.chat.models import ChatMessage
from assay.apps.chat.sessions.service import ChatSessionNotFound
from assay.apps.tags.schemas import TagName
from assay.apps.wire import Deleted
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems


class _Rest(Convertor[str]):
    """All the rest of a path.

    Slashes in a tag come as %2F, and are plain slashes again before routes are looked at; line
    breaks, which Starlette's own `path` does not take, are in no other paths.
    """

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("rest", _Rest())
router = APIRouter(prefix="/chat", tags=["chat"], responses=problems(Invalid))
MESSAGE = "/messages/{message_id}"


@router.get(
    "/sessions/{chat_session_id}/messages",
    response_model=list[MessageRead],
    responses=problems(ChatSessionNotFound),
)
async def list_messages(
    session: Session, actor: AppReader, page: OffsetPaging, chat_session_id: UUID
) -> Sequence[ChatMessage]:
    """List the messages of a session, newest first."""
    return await service.list_messages(session, actor, page, chat_session_id)


@router.post(
    "/messages",
    status_code=status.HTTP_201_CREATED,
    response_model=MessageRead,
    responses=problems(ChatSessionNotFound),
)
async def create_message(session: Session, actor: AppWriter, new: MessageCreate) -> ChatMessage:
    """Add a message to a session of yours."""
    return await service.create_message(session, actor, new)


@router.get(MESSAGE, response_model=MessageRead, responses=problems(MessageNotFound))
async def get_message(session: Session, actor: AppReader, message_id: UUID) -> ChatMessage:
    """Read a message."""
    return await service.get_message(session, actor, message_id)


@router.put(MESSAGE, response_model=MessageRead, responses=problems(MessageNotFound))
async def update_message(
    session: Session, actor: AppWriter, message_id: UUID, changes: MessageUpdate
) -> ChatMessage:
    """Change a message: only the fields that are sent."""
    return await service.update_message(session, actor, message_id, changes)


@router.delete(MESSAGE, responses=problems(MessageNotFound))
async def delete_message(session: Session, actor: AppWriter, message_id: UUID) -> Deleted:
    """Delete a message; the counts of its tags go down."""
    await service.delete_message(session, actor, message_id)
    return Deleted(id=message_id)


@router.post(f"{MESSAGE}/tags", response_model=MessageRead, responses=problems(MessageNotFound))
async def add_message_tag(
    session: Session, actor: AppWriter, message_id: UUID, new: MessageTag
) -> ChatMessage:
    """Put a tag on a message; where it is there already, nothing changes."""
    return await service.add_tag(session, actor, message_id, new.tag)


@router.delete(
    f"{MESSAGE}/tags/{{tag:rest}}",
    response_model=MessageRead,
    responses=problems(MessageNotFound),
)
async def remove_message_tag(
    session: Session,
    actor: AppWriter,
    message_id: UUID,
    tag: Annotated[TagName, Path(description="Percent-encoded, also its slashes")],
) -> ChatMessage:
    """Take a tag off a message; where it is not there, nothing changes."""
    return await service.remove_tag(session, actor, message_id, tag)
