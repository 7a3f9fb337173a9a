"""Rules and queries of the history."""

import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.history.models import HistoryEntry
from assay.apps.history.schemas import HistoryCreate, HistoryFilter
from assay.apps.recording import tell
from assay.apps.totals import counted_total, kept_total
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor

_EQUAL = ("app_id", "entity_type", "entity_id", "source_type", "source_id", "status")


class HistoryEntryNotFound(NotFound):
    """There is no history entry with this id."""


def _matching(actor: Actor, wanted: HistoryFilter) -> Select[HistoryEntry]:
    query = select(HistoryEntry).where(owned(actor, HistoryEntry.user_id))
    for name in _EQUAL:
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(HistoryEntry, name) == value)
    if wanted.since is not None:
        query = query.where(HistoryEntry.timestamp >= wanted.since)
    if wanted.until is not None:
        query = query.where(HistoryEntry.timestamp <= wanted.until)
    return query


async def list_entries(
    session: AsyncSession, actor: Actor, page: OffsetPage, wanted: HistoryFilter
) -> Sequence[HistoryEntry]:
    """A page of the actor's entries that match, newest first."""
    query = _matching(actor, wanted)
    if wanted.app_id is not None and wanted == HistoryFilter(app_id=wanted.app_id):
        total = kept_total(actor, HistoryEntry, wanted.app_id)
    else:
        total = counted_total(query, page)
    order = HistoryEntry.timestamp.desc(), HistoryEntry.id.desc()
    return await page.fetch(session, query, *order, total=total)


async def create_entry(session: AsyncSession, actor: Actor, new: HistoryCreate) -> HistoryEntry:
    """Write down something that was done; now, where it does not say when."""
    entry = HistoryEntry(**new.model_dump(), user_id=actor.user_id)
    if new.timestamp is None:
        entry.timestamp = time.time_ns() // 1_000_000
    session.add(entry)
    await session.flush()
    return entry


async def get_entry(session: AsyncSession, actor: Actor, entry_id: UUID) -> HistoryEntry:
    """The entry with this id.

    Raises:
        HistoryEntryNotFound
    """
    mine = owned(actor, HistoryEntry.user_id)
    entry = await session.scalar(select(HistoryEntry).where(HistoryEntry.id == entry_id, mine))
    if entry is None:
        raise HistoryEntryNotFound
    return entry


async def delete_entry(session: AsyncSession, actor: Actor, entry_id: UUID) -> None:
    """Delete an entry.

    Raises:
        HistoryEntryNotFound
    """
    statement = delete(HistoryEntry).where(
        HistoryEntry.id == entry_id, owned(actor, HistoryEntry.user_id)
    )
    what = HistoryEntry.app_id, HistoryEntry.source_type
    gone = (await session.execute(statement.returning(*what))).one_or_none()
    if gone is None:
        raise HistoryEntryNotFound
    app_id, source_type = gone
    tell(session, actor, "history.deleted", entry_id, app_id=app_id, source_type=source_type)
