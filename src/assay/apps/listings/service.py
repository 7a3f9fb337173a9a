"""Rules and queries of listings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from assay.apps.access import owned
from assay.apps.files.models import File
from assay.apps.files.service import delete_files
from assay.apps.listings.models import Listing, folded
from assay.apps.listings.schemas import ListingCreate, ListingSummary, ListingUpdate
from assay.apps.listings.search import find
from assay.apps.recording import tell
from assay.apps.totals import kept_total
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor
from assay.identity.audit.service import changed_fields

FILES = ("audio_file", "transcript_file", "structured_json_file")
_SHOWN = [getattr(Listing, name) for name in ListingSummary.model_fields]
# History is of things of all kinds, which it names by their ids as text.
_DELETE_HISTORY = sql("DELETE FROM apps.history WHERE user_id = :user_id AND entity_id = :id")


class ListingNotFound(NotFound):
    """There is no listing with this id in this app."""


def _listings(actor: Actor, app_id: str) -> Select[Listing]:
    mine = owned(actor, Listing.user_id)
    shown = load_only(*_SHOWN, raiseload=True)
    return select(Listing).where(mine, Listing.app_id == app_id).options(shown)


async def list_listings(
    session: AsyncSession, actor: Actor, page: OffsetPage, app_id: str
) -> Sequence[Listing]:
    """A page of an app's listings, newest first, without what lists do not show."""
    total = kept_total(actor, Listing, app_id)
    return await page.fetch(session, _listings(actor, app_id), Listing.id.desc(), total=total)


async def search_listings(
    session: AsyncSession, actor: Actor, page: OffsetPage, app_id: str, wanted: str
) -> Sequence[Listing]:
    """A page of those whose title has `wanted` in it, in upper or lower case, newest first."""
    if not wanted:
        return await list_listings(session, actor, page, app_id)
    found = await find(session, actor, page, app_id, folded(wanted))
    query = _listings(actor, app_id).where(Listing.id.in_(found.ids)).order_by(Listing.id.desc())
    listings = (await session.scalars(query)).all()
    page.tell(found.total, len(listings))
    return listings


async def create_listing(session: AsyncSession, actor: Actor, new: ListingCreate) -> Listing:
    """Make a listing."""
    listing = Listing(user_id=actor.user_id, **new.model_dump())
    listing.file_ids = _named_files(listing)
    session.add(listing)
    await session.flush()
    tell(session, actor, "listing.created", listing.id, app_id=listing.app_id, title=listing.title)
    return listing


async def get_listing(
    session: AsyncSession,
    actor: Actor,
    listing_id: UUID,
    app_id: str | None = None,
    *,
    for_update: bool = False,
) -> Listing:
    """A listing of the actor, whole; of this app, where one is named.

    `for_update` keeps it from being changed or deleted until the transaction ends.

    Raises:
        ListingNotFound
    """
    query = select(Listing).where(Listing.id == listing_id, owned(actor, Listing.user_id))
    if app_id is not None:
        query = query.where(Listing.app_id == app_id)
    if for_update:
        query = query.with_for_update()
    listing = await session.scalar(query)
    if listing is None:
        raise ListingNotFound
    return listing


async def update_listing(
    session: AsyncSession, actor: Actor, listing_id: UUID, changes: ListingUpdate
) -> Listing:
    """Change the fields that were sent; null clears.

    Raises:
        ListingNotFound
    """
    listing = await get_listing(session, actor, listing_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(listing, field, value)
    told = changed_fields(listing)
    listing.file_ids = _named_files(listing)
    await session.flush()
    tell(session, actor, "listing.updated", listing_id, app_id=listing.app_id, **told)
    return listing


async def delete_listing(
    session: AsyncSession, actor: Actor, listing_id: UUID, app_id: str
) -> Sequence[str]:
    """Delete a listing with its history and its files, as far as no other listing has them.

    Gives the keys of the bytes that may go after the commit.

    Raises:
        ListingNotFound
    """
    listing = await get_listing(session, actor, listing_id, app_id, for_update=True)
    file_ids = await _held_alone(session, actor, listing)
    keys = await delete_files(session, actor, file_ids)
    await session.execute(_DELETE_HISTORY, {"user_id": actor.user_id, "id": str(listing_id)})
    await session.execute(delete(Listing).where(Listing.id == listing_id))
    tell(session, actor, "listing.deleted", listing_id, app_id=app_id, title=listing.title)
    return keys


async def _held_alone(session: AsyncSession, actor: Actor, listing: Listing) -> Collection[UUID]:
    """The files of a listing that no other listing of the actor names."""
    if not listing.file_ids:
        return ()
    # Of two listings with one file that are deleted at once, the second waits here, and then
    # sees that the first is gone.
    files = select(File.id).where(File.id.in_(listing.file_ids), owned(actor, File.user_id))
    mine = set(await session.scalars(files.order_by(File.id).with_for_update()))
    others = select(Listing.file_ids).where(
        owned(actor, Listing.user_id),
        Listing.file_ids.overlap(list(mine)),
        Listing.id != listing.id,
    )
    return mine.difference(*await session.scalars(others))


def _named_files(listing: Listing) -> list[UUID]:
    references: Iterable[Mapping[str, Any] | None] = (getattr(listing, name) for name in FILES)
    named = (_file_id(reference) for reference in references if reference is not None)
    return sorted({file_id for file_id in named if file_id is not None})


def _file_id(reference: Mapping[str, Any]) -> UUID | None:
    """The id of a file that an object names as `id` or `file_id`."""
    for name in ("id", "file_id"):
        try:
            return UUID(str(reference.get(name)))
        except ValueError:
            continue
    return None
