"""Endpoints of chat sessions."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, status

from assay.apps.access import AppReader, AppWriter
from assay.apps.chat.models import ChatSession
from assay.apps.chat.sessions import service
from assay.apps.chat.sessions.schemas import (
    ChatSessionCreate,
    ChatSessionRead,
    ChatSessionUpdate,
)
from assay.apps.chat.sessions.service import ChatSessionNotFound
from assay.apps.wire import AppQuery, Deleted
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems

router = APIRouter(prefix="/chat/sessions", tags=["chat"], responses=problems(Invalid))


@router.get("", response_model=list[ChatSessionRead])
async def list_chat_sessions(
    session: Session, actor: AppReader, page: OffsetPaging, app_id: AppQuery
) -> Sequence[ChatSession]:
    """List your sessions in an app, newest first."""
    return await service.list_sessions(session, actor, page, app_id)


@router.post("", status_code=status.HTTP_201_CREATED, response_model=ChatSessionRead)
async def create_chat_session(
    session: Session, actor: AppWriter, new: ChatSessionCreate
) -> ChatSession:
    """Begin a session."""
    return await service.create_session(session, actor, new)


@router.get(
    "/{chat_session_id}", response_model=ChatSessionRead, responses=problems(ChatSessionNotFound)
)
async def get_chat_session(
    session: Session, actor: AppReader, chat_session_id: UUID
) -> ChatSession:
    """Read a session."""
    return await service.get_session(session, actor, chat_session_id)


@router.put(
    "/{chat_session_id}", response_model=ChatSessionRead, responses=problems(ChatSessionNotFound)
)
async def update_chat_session(
    session: Session, actor: AppWriter, chat_session_id: UUID, changes: ChatSessionUpdate
) -> ChatSession:
    """Change a session: only the fields that are sent."""
    return await service.update_session(session, actor, chat_session_id, changes)


@router.delete("/{chat_session_id}", responses=problems(ChatSessionNotFound))
async def delete_chat_session(session: Session, actor: AppWriter, chat_session_id: UUID) -> Deleted:
    """Delete a session with its messages; the counts of their tags go down."""
    await service.delete_session(session, actor, chat_session_id)
    return Deleted(id=chat_session_id)
