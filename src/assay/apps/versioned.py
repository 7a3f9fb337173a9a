"""The rules of what an app keeps in numbered versions: its prompts and its output schemas.

A version is one more than the newest of the same app, type and owner. Writers of one app and
owner take turns by a lock that lasts until their commit, so that nobody counts from what is not
yet to be seen.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Index,
    Select,
    UniqueConstraint,
    delete,
    false,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from assay.apps.access import owned
from assay.apps.columns import AppId, LongText, Number, Str50, Str200, UserId
from assay.apps.defaults import Defaults, read_defaults
from assay.apps.recording import tell
from assay.apps.turns import take_turns
from assay.core.database import Base, CreatedAt, UpdatedAt
from assay.core.errors import Conflict, NotFound
from assay.core.offsets import OffsetPage
from assay.core.schemas import Input
from assay.identity.actor import Actor
from assay.identity.audit.service import changed_fields


class DefaultStays(Conflict):
    """It is a default of its app, which cannot be deleted."""

    code = "default_stays"


class Versioned(Base):
    """What all kinds have: whose, for what, and which version."""

    __abstract__ = True

    id: Mapped[Number]
    app_id: Mapped[AppId]
    prompt_type: Mapped[Str50]
    version: Mapped[int]
    name: Mapped[Str200]
    description: Mapped[LongText] = mapped_column(default="", server_default=text("''"))
    is_default: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    user_id: Mapped[UserId]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        """Versions that are unique, and the orders in which they are listed."""
        return (
            UniqueConstraint("app_id", "prompt_type", "version", "user_id"),
            Index(None, "user_id", "app_id", "id"),
            Index(None, "user_id", "app_id", "prompt_type", "id"),
            {"schema": "apps"},
        )


Row = TypeVar("Row", bound=Versioned)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Row]):
    """One kind of thing in versions.

    Attributes:
        model: its table.
        noun: what it is called in the audit.
        missing: the error where there is none with an id.
        defaults: where the defaults of apps are, in the folder of each app.
    """

    model: type[Row]
    noun: str
    missing: type[NotFound]
    defaults: Defaults


def _own(actor: Actor, kind: Kind[Row]) -> Select[Row]:
    return select(kind.model).where(owned(actor, kind.model.user_id))


async def list_versions(
    session: AsyncSession,
    actor: Actor,
    page: OffsetPage,
    kind: Kind[Row],
    app_id: str,
    **wanted: str | None,
) -> Sequence[Row]:
    """A page of the actor's versions for an app, newest first.

    `wanted` are columns and what they have to be; None for whatever it is.
    """
    query = _own(actor, kind).where(kind.model.app_id == app_id)
    for column, value in wanted.items():
        if value is not None:
            query = query.where(getattr(kind.model, column) == value)
    return await page.fetch(session, query, kind.model.id.desc())


async def get_version(
    session: AsyncSession, actor: Actor, kind: Kind[Row], number: int, *, lock: bool = False
) -> Row:
    """The version with this id; `lock` keeps others from changing it until the commit.

    Raises:
        NotFound: as the kind has it.
    """
    query = _own(actor, kind).where(kind.model.id == number)
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise kind.missing
    return row


async def create_version(session: AsyncSession, actor: Actor, kind: Kind[Row], new: Input) -> Row:
    """Store the next version; `new` has its columns, with app and type."""
    fields = new.model_dump()
    await take_turns(session, actor, kind.model, fields["app_id"])
    return await _add(session, actor, kind, fields)


async def update_version(
    session: AsyncSession,
    actor: Actor,
    kind: Kind[Row],
    number: int,
    changes: Input,
) -> Row:
    """Change the columns that were sent; the number of the version stays.

    Raises:
        NotFound: as the kind has it.
    """
    row = await get_version(session, actor, kind, number, lock=True)
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(row, name, value)
    told = changed_fields(row)
    await session.flush()
    tell(session, actor, f"{kind.noun}.updated", str(number), **told)
    return row


async def delete_version(session: AsyncSession, actor: Actor, kind: Kind[Row], number: int) -> None:
    """Delete a version that is not a default.

    Raises:
        NotFound: as the kind has it.
        DefaultStays
    """
    mine = owned(actor, kind.model.user_id)
    statement = (
        delete(kind.model)
        .where(kind.model.id == number, mine, kind.model.is_default.is_(False))
        .returning(kind.model.name)
    )
    name = await session.scalar(statement)
    if name is None:
        await get_version(session, actor, kind, number)
        raise DefaultStays
    tell(session, actor, f"{kind.noun}.deleted", str(number), name=name)


async def ensure_defaults(
    session: AsyncSession, actor: Actor, kind: Kind[Row], app_id: str
) -> Sequence[Row]:
    """Give the actor the defaults of an app, those that they do not have yet.

    A type that has any default is left alone, also where its text was changed. Gives the newest
    default of each type; nothing for an app that has no defaults.
    """
    defaults = (await asyncio.to_thread(read_defaults, kind.defaults)).get(app_id, ())
    if not defaults:
        return []
    await take_turns(session, actor, kind.model, app_id)
    types = [default["prompt_type"] for default in defaults]
    there = {row.prompt_type: row for row in await _newest_defaults(session, actor, kind, app_id)}
    for default in defaults:
        if default["prompt_type"] not in there:
            fields = {**default, "app_id": app_id, "is_default": True}
            there[default["prompt_type"]] = await _add(session, actor, kind, fields)
    return [there[name] for name in types]


async def _newest_defaults(
    session: AsyncSession, actor: Actor, kind: Kind[Row], app_id: str
) -> Sequence[Row]:
    model = kind.model
    query = _own(actor, kind).where(model.app_id == app_id, model.is_default)
    query = query.ext(distinct_on(model.prompt_type))
    query = query.order_by(model.prompt_type, model.version.desc())
    return (await session.scalars(query)).all()


async def _add(
    session: AsyncSession, actor: Actor, kind: Kind[Row], fields: Mapping[str, Any]
) -> Row:
    model = kind.model
    newest = select(func.max(model.version)).where(
        owned(actor, model.user_id),
        model.app_id == fields["app_id"],
        model.prompt_type == fields["prompt_type"],
    )
    version = (await session.scalar(newest) or 0) + 1
    row = model(**fields, version=version, user_id=actor.user_id)
    session.add(row)
    await session.flush()
    told = {"app_id": row.app_id, "prompt_type": row.prompt_type, "version": version}
    tell(session, actor, f"{kind.noun}.created", str(row.id), **told)
    return row
