"""Rules and queries of tags."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.recording import tell
from assay.apps.tags.carriers import (
    count_carriers_of_both,
    rename_on_messages,
    take_off_messages,
)
from assay.apps.tags.models import Tag
from assay.apps.tags.schemas import TagCreate
from assay.apps.turns import take_turns
from assay.core.errors import Conflict, NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor


class TagNotFound(NotFound):
    """There is no tag with this id."""


class TagExists(Conflict):
    """The app has a tag of this name already."""

    code = "tag_exists"


def _own(actor: Actor, tag_id: int) -> Select[Tag]:
    return select(Tag).where(Tag.id == tag_id, owned(actor, Tag.user_id))


async def list_tags(
    session: AsyncSession, actor: Actor, page: OffsetPage, app_id: str, part: str | None
) -> Sequence[Tag]:
    """A page of an app's tags, most used first; `part` stands in the name, in any case."""
    query = select(Tag).where(owned(actor, Tag.user_id), Tag.app_id == app_id)
    if part:
        query = query.where(Tag.name.icontains(part, autoescape=True))
    return await page.fetch(session, query, Tag.count.desc(), Tag.last_used.desc(), Tag.id.desc())


async def create_tag(session: AsyncSession, actor: Actor, new: TagCreate) -> Tag:
    """Make a tag that is on no message.

    Raises:
        TagExists
    """
    await take_turns(session, actor, Tag, new.app_id)
    statement = (
        insert(Tag)
        .values(**new.model_dump(), user_id=actor.user_id)
        .on_conflict_do_nothing()
        .returning(Tag)
    )
    tag = await session.scalar(statement)
    if tag is None:
        raise TagExists
    return tag


async def increment_tag(session: AsyncSession, actor: Actor, tag_id: int) -> Tag:
    """Count a tag once more, beyond the messages that carry it.

    Raises:
        TagNotFound
    """
    return await _set_count(session, actor, tag_id, Tag.count + 1, used=True)


async def decrement_tag(session: AsyncSession, actor: Actor, tag_id: int) -> Tag:
    """Count a tag once less, and never below 0.

    Raises:
        TagNotFound
    """
    return await _set_count(session, actor, tag_id, func.greatest(Tag.count - 1, 0))


async def _set_count(
    session: AsyncSession,
    actor: Actor,
    tag_id: int,
    count: ColumnElement[int],
    *,
    used: bool = False,
) -> Tag:
    values: dict[str, Any] = {"count": count}
    if used:
        values["last_used"] = func.clock_timestamp()
    statement = update(Tag).where(Tag.id == tag_id, owned(actor, Tag.user_id)).values(values)
    tag: Tag | None = await session.scalar(statement.returning(Tag))
    if tag is None:
        raise TagNotFound
    return tag


async def rename_tag(session: AsyncSession, actor: Actor, tag_id: int, name: str) -> Tag:
    """Rename a tag, also on all messages; where the name is taken, the two become one.

    Gives the tag that has the name in the end.

    Raises:
        TagNotFound
    """
    tag = await _hold(session, actor, tag_id)
    if tag.name == name:
        return tag
    other = await session.scalar(
        select(Tag)
        .where(owned(actor, Tag.user_id), Tag.app_id == tag.app_id, Tag.name == name)
        .with_for_update()
    )
    told = {"app_id": tag.app_id, "from": tag.name, "to": name}
    if other is None:
        await rename_on_messages(session, actor, tag, name)
        tag.name = name
        await session.flush()
        tell(session, actor, "tag.renamed", str(tag_id), **told)
        return tag
    both = await count_carriers_of_both(session, actor, tag, name)
    await rename_on_messages(session, actor, tag, name)
    other.count = max(tag.count + other.count - both, 0)
    other.last_used = max(tag.last_used, other.last_used)
    await session.delete(tag)
    await session.flush()
    tell(session, actor, "tag.merged", str(tag_id), **told, into=other.id)
    return other


async def delete_tag(session: AsyncSession, actor: Actor, tag_id: int) -> None:
    """Delete a tag, and take it off all messages.

    Raises:
        TagNotFound
    """
    tag = await _hold(session, actor, tag_id)
    await take_off_messages(session, actor, tag)
    await session.delete(tag)
    await session.flush()
    tell(session, actor, "tag.deleted", str(tag_id), app_id=tag.app_id, name=tag.name)


async def _hold(session: AsyncSession, actor: Actor, tag_id: int) -> Tag:
    """The tag, once nobody else changes tags of its app."""
    app_id = await session.scalar(_own(actor, tag_id).with_only_columns(Tag.app_id))
    if app_id is None:
        raise TagNotFound
    await take_turns(session, actor, Tag, app_id)
    tag = await session.scalar(_own(actor, tag_id).with_for_update())
    if tag is None:
        raise TagNotFound
    return tag
