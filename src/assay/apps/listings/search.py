"""Find listings by a part of their title, among a million, without reading them all.

What many titles have is found among the newest; what few have, by an index of the pieces of
titles. Each way is slow where the other one is fast, and PostgreSQL cannot tell beforehand which
is which, so they are tried in that order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, Text, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.listings.models import Listing, grams
from assay.apps.totals import kept_total
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor

NEWEST = 5_000
# Above that, going through all from the newest on is the shorter way to a page, unless those that
# match are all old.
MOST_BY_PIECES = 20_000


class Found(NamedTuple):
    """The ids of one page, newest first, and how many there are in all, or at least."""

    ids: Sequence[UUID]
    total: int


async def find(
    session: AsyncSession, actor: Actor, page: OffsetPage, app_id: str, key: str
) -> Found:
    """The page of an app's listings whose folded title has `key` in it.

    The total is exact where fewer than 20,000 match and few of the newest do, or where somebody
    has up to 5,000 listings; else there are at least so many.
    """
    end = page.offset + page.limit
    mine = (owned(actor, Listing.user_id), Listing.app_id == app_id)
    fits = func.strpos(Listing.title_folded, key) > 0

    newest = select(Listing.id, Listing.title_folded).where(*mine)
    newest_rows = newest.order_by(Listing.id.desc()).limit(NEWEST).subquery()
    in_title = func.strpos(newest_rows.c.title_folded, key) > 0
    among_newest = select(newest_rows.c.id).where(in_title)
    found = await _page_of(session, page, among_newest.subquery())
    if (
        found.total > end
        or (await session.scalar(kept_total(actor, Listing, app_id)) or 0) <= NEWEST
    ):
        return found

    most = max(MOST_BY_PIECES, end + 1)
    pieces = func.apps.grams(Listing.title_folded, type_=ARRAY(Text)).contains(grams(key))
    by_pieces = select(Listing.id).where(*mine, pieces, fits).limit(most)
    found = await _page_of(session, page, by_pieces.subquery())
    if found.total < most:
        return found

    # Many have it, but few of the newest.
    walk = select(Listing.id).where(*mine, fits).order_by(Listing.id.desc())
    ids = await session.scalars(walk.limit(page.limit).offset(page.offset))
    return Found(ids.all(), found.total)


async def _page_of(session: AsyncSession, page: OffsetPage, rows: Subquery) -> Found:
    """All of these counted, and those of the page."""
    ids: ColumnElement[Any] = func.array_agg(aggregate_order_by(rows.c.id, rows.c.id.desc()))
    statement: Select[Any] = select(func.count(), ids[page.offset + 1 : page.offset + page.limit])
    total, shown = (await session.execute(statement.select_from(rows))).one()
    return Found(shown or (), total)
