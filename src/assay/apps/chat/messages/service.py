"""Rules and queries of chat messages, and of the tags on them.

Whoever changes tags takes turns first (`tags.counting`) and only then locks rows, so that
nobody waits for somebody who waits for them.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.chat.messages.schemas import MessageCreate, MessageUpdate
from assay.apps.chat.models import ChatMessage, ChatSession
from assay.apps.chat.sessions.service import get_session, hold_session
from assay.apps.tags.counting import count_down, count_up
from assay.apps.tags.models import Tag
from assay.apps.totals import counted_total
from assay.apps.turns import take_turns
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor


class MessageNotFound(NotFound):
    """There is no chat message with this id."""


def _own(actor: Actor, message_id: UUID) -> Select[ChatMessage]:
    return select(ChatMessage).where(
        ChatMessage.id == message_id, owned(actor, ChatMessage.user_id)
    )


async def list_messages(
    session: AsyncSession, actor: Actor, page: OffsetPage, session_id: UUID
) -> Sequence[ChatMessage]:
    """A page of a session's messages, newest first.

    Raises:
        ChatSessionNotFound
    """
    query = select(ChatMessage).where(
        ChatMessage.session_id == session_id, owned(actor, ChatMessage.user_id)
    )
    messages: Sequence[ChatMessage] = await page.fetch(
        session, query, ChatMessage.id.desc(), total=counted_total(query, page)
    )
    if not messages:
        await get_session(session, actor, session_id)
    return messages


async def create_message(session: AsyncSession, actor: Actor, new: MessageCreate) -> ChatMessage:
    """Add a message to a session of the actor's; its tags are counted.

    Raises:
        ChatSessionNotFound
    """
    fields = new.model_dump()
    fields["message_metadata"] = fields.pop("metadata")
    message = ChatMessage(**fields, user_id=actor.user_id)
    if message.tags:
        chat = await get_session(session, actor, new.session_id)
        await take_turns(session, actor, Tag, chat.app_id)
    app_id = await hold_session(session, actor, new.session_id)
    session.add(message)
    await session.flush()
    await count_up(session, actor, app_id, message.tags)
    return message


async def get_message(session: AsyncSession, actor: Actor, message_id: UUID) -> ChatMessage:
    """The message with this id.

    Raises:
        MessageNotFound
    """
    message = await session.scalar(_own(actor, message_id))
    if message is None:
        raise MessageNotFound
    return message


async def update_message(
    session: AsyncSession, actor: Actor, message_id: UUID, changes: MessageUpdate
) -> ChatMessage:
    """Change the fields that were sent; tags that come or go are counted.

    Raises:
        MessageNotFound
    """
    fields = changes.model_dump(exclude_unset=True)
    app_id = None
    if "metadata" in fields:
        fields["message_metadata"] = fields.pop("metadata")
        app_id = await _take_turns(session, actor, message_id)
    message = await _hold(session, actor, message_id)
    before = message.tags
    for field, value in fields.items():
        setattr(message, field, value)
    await session.flush()
    if app_id is not None:
        await _count(session, actor, app_id, before, message.tags)
    return message


async def delete_message(session: AsyncSession, actor: Actor, message_id: UUID) -> None:
    """Delete a message; its tags count for one less.

    Raises:
        MessageNotFound
    """
    app_id = await _take_turns(session, actor, message_id)
    message = await _hold(session, actor, message_id)
    await session.delete(message)
    await session.flush()
    await _count(session, actor, app_id, message.tags, ())


async def add_tag(session: AsyncSession, actor: Actor, message_id: UUID, tag: str) -> ChatMessage:
    """Put a tag on a message and count it; where it is there already, nothing changes.

    Raises:
        MessageNotFound
    """
    app_id = await _take_turns(session, actor, message_id)
    message = await _hold(session, actor, message_id)
    if tag not in message.tags:
        _set_tags(message, [*message.tags, tag])
        await session.flush()
        await count_up(session, actor, app_id, [tag])
    return message


async def remove_tag(
    session: AsyncSession, actor: Actor, message_id: UUID, tag: str
) -> ChatMessage:
    """Take a tag off a message and count it; where it is not there, nothing changes.

    Raises:
        MessageNotFound
    """
    app_id = await _take_turns(session, actor, message_id)
    message = await _hold(session, actor, message_id)
    if tag in message.tags:
        _set_tags(message, [other for other in message.tags if other != tag])
        await session.flush()
        await count_down(session, actor, app_id, {tag: 1})
    return message


def _set_tags(message: ChatMessage, tags: list[str]) -> None:
    # A new object: SQLAlchemy does not look into the one that it has.
    message.message_metadata = {**(message.message_metadata or {}), "tags": tags}


async def _take_turns(session: AsyncSession, actor: Actor, message_id: UUID) -> str:
    """Take turns with the others who change tags of the message's app; gives the app."""
    query = (
        select(ChatSession.app_id)
        .join(ChatMessage, ChatMessage.session_id == ChatSession.id)
        .where(ChatMessage.id == message_id, owned(actor, ChatMessage.user_id))
    )
    app_id = await session.scalar(query)
    if app_id is None:
        raise MessageNotFound
    await take_turns(session, actor, Tag, app_id)
    return app_id


async def _hold(session: AsyncSession, actor: Actor, message_id: UUID) -> ChatMessage:
    message = await session.scalar(_own(actor, message_id).with_for_update())
    if message is None:
        raise MessageNotFound
    return message


async def _count(
    session: AsyncSession,
    actor: Actor,
    app_id: str,
    before: Collection[str],
    after: Collection[str],
) -> None:
    """Count what has come and what has gone."""
    come, gone = set(after) - set(before), set(before) - set(after)
    await count_up(session, actor, app_id, come)
    await count_down(session, actor, app_id, Counter(gone))
