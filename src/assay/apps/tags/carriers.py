"""The messages that carry a tag, changed all at once by one statement.

Whoever calls these has taken turns (`apps.turns`).
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    Update,
    case,
    cast,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.chat.models import ChatMessage, ChatSession
from assay.apps.tags.models import Tag
from assay.identity.actor import Actor

# As the index has it: another way to write the same thing would not be found there.
_TAGS: ColumnElement[Any] = ChatMessage.message_metadata.op("->", return_type=JSONB())(
    literal_column("'tags'")
)


def _carries(actor: Actor, app_id: str, *names: str) -> tuple[ColumnElement[bool], ...]:
    """Whether a message of the app carries all of these tags."""
    return (
        ChatMessage.session_id == ChatSession.id,
        owned(actor, ChatSession.user_id),
        ChatSession.app_id == app_id,
        owned(actor, ChatMessage.user_id),
        _TAGS.contains(list(names)),
    )


def _set_tags(actor: Actor, tag: Tag, tags: ColumnElement[Any]) -> Update:
    path = cast(["tags"], ARRAY(Text))
    return (
        update(ChatMessage)
        .where(*_carries(actor, tag.app_id, tag.name))
        .values(message_metadata=func.jsonb_set(ChatMessage.message_metadata, path, tags))
        .execution_options(synchronize_session=False)
    )


def _without(name: str) -> ColumnElement[Any]:
    return _TAGS.op("-", return_type=JSONB())(cast(name, Text))


async def rename_on_messages(session: AsyncSession, actor: Actor, tag: Tag, new: str) -> None:
    """Give all messages that carry `tag` the tag `new` in its place, each once."""
    carried = (
        func.jsonb_array_elements_text(_TAGS)
        .table_valued("name", with_ordinality="place", name="carried")
        .render_derived()
    )
    renamed = case((carried.c.name == tag.name, cast(new, Text)), else_=carried.c.name)
    in_place = func.jsonb_agg(aggregate_order_by(renamed, carried.c.place))
    tags = case(
        # Who carries both keeps the one.
        (_TAGS.contains([new]), _without(tag.name)),
        (func.jsonb_array_length(_TAGS) == 1, func.jsonb_build_array(cast(new, Text))),
        else_=select(in_place).select_from(carried).scalar_subquery(),
    )
    await session.execute(_set_tags(actor, tag, tags))


async def count_carriers_of_both(session: AsyncSession, actor: Actor, tag: Tag, other: str) -> int:
    """How many messages carry both tags."""
    both = _carries(actor, tag.app_id, tag.name, other)
    query = select(func.count()).select_from(ChatMessage).join(ChatSession, both[0])
    return await session.scalar(query.where(*both[1:])) or 0


async def take_off_messages(session: AsyncSession, actor: Actor, tag: Tag) -> None:
    """Take a tag off all messages that carry it."""
    await session.execute(_set_tags(actor, tag, _without(tag.name)))
