"""Rules and queries of chat sessions."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, delete, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.chat.models import ChatMessage, ChatSession
from assay.apps.chat.sessions.schemas import ChatSessionCreate, ChatSessionUpdate
from assay.apps.recording import tell
from assay.apps.tags.counting import count_down
from assay.apps.tags.models import Tag
from assay.apps.totals import kept_total
from assay.apps.turns import take_turns
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor


class ChatSessionNotFound(NotFound):
    """There is no chat session with this id."""


def _own(actor: Actor, session_id: UUID) -> Select[ChatSession]:
    return select(ChatSession).where(
        ChatSession.id == session_id, owned(actor, ChatSession.user_id)
    )


async def list_sessions(
    session: AsyncSession, actor: Actor, page: OffsetPage, app_id: str
) -> Sequence[ChatSession]:
    """A page of the actor's sessions in an app, newest first."""
    query = select(ChatSession).where(
        owned(actor, ChatSession.user_id), ChatSession.app_id == app_id
    )
    total = kept_total(actor, ChatSession, app_id)
    return await page.fetch(session, query, ChatSession.id.desc(), total=total)


async def create_session(
    session: AsyncSession, actor: Actor, new: ChatSessionCreate
) -> ChatSession:
    """Begin a session."""
    chat = ChatSession(**new.model_dump(), user_id=actor.user_id)
    session.add(chat)
    await session.flush()
    return chat


async def get_session(session: AsyncSession, actor: Actor, session_id: UUID) -> ChatSession:
    """The session with this id.

    Raises:
        ChatSessionNotFound
    """
    chat = await session.scalar(_own(actor, session_id))
    if chat is None:
        raise ChatSessionNotFound
    return chat


async def update_session(
    session: AsyncSession, actor: Actor, session_id: UUID, changes: ChatSessionUpdate
) -> ChatSession:
    """Change the fields that were sent.

    Raises:
        ChatSessionNotFound
    """
    chat = await session.scalar(_own(actor, session_id).with_for_update(key_share=True))
    if chat is None:
        raise ChatSessionNotFound
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(chat, field, value)
    await session.flush()
    return chat


async def hold_session(session: AsyncSession, actor: Actor, session_id: UUID) -> str:
    """Keep a session from being deleted until the transaction ends; gives its app.

    Raises:
        ChatSessionNotFound
    """
    query = _own(actor, session_id).with_only_columns(ChatSession.app_id)
    app_id = await session.scalar(query.with_for_update(read=True, key_share=True))
    if app_id is None:
        raise ChatSessionNotFound
    return app_id


async def delete_session(session: AsyncSession, actor: Actor, session_id: UUID) -> None:
    """Delete a session with its messages; their tags count for less by them.

    Raises:
        ChatSessionNotFound
    """
    app_id = (await get_session(session, actor, session_id)).app_id
    await take_turns(session, actor, Tag, app_id)
    # From here on, who adds a message waits, and finds no session.
    title = await session.scalar(
        _own(actor, session_id).with_only_columns(ChatSession.title).with_for_update()
    )
    if title is None:
        raise ChatSessionNotFound
    used = await _tally(session, actor, session_id)
    await session.execute(
        delete(ChatSession).where(ChatSession.id == session_id, owned(actor, ChatSession.user_id))
    )
    await count_down(session, actor, app_id, used)
    tell(session, actor, "chat_session.deleted", session_id, app_id=app_id, title=title)


async def _tally(session: AsyncSession, actor: Actor, session_id: UUID) -> dict[str, int]:
    """How many messages of the session carry each tag."""
    carried = (
        func.jsonb_array_elements_text(ChatMessage.message_metadata["tags"])
        .table_valued("name", name="carried")
        .render_derived()
    )
    query = (
        select(carried.c.name, func.count())
        .select_from(ChatMessage)
        .join(carried, true())
        .where(ChatMessage.session_id == session_id, owned(actor, ChatMessage.user_id))
        .group_by(carried.c.name)
    )
    return dict((await session.execute(query)).all())
