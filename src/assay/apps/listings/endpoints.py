"""Endpoints of listings."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from assay.apps.access import AppReader, AppWriter
from assay.apps.listings import service
from assay.apps.listings.models import Listing
from assay.apps.listings.schemas import ListingCreate, ListingRead, ListingSummary, ListingUpdate
from assay.apps.listings.service import ListingNotFound
from assay.apps.wire import AppQuery, Deleted
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems
from assay.core.text import Text
from assay.files.access import BytesRemover

router = APIRouter(prefix="/listings", tags=["listings"], responses=problems(Invalid))


@router.get("", response_model=list[ListingSummary])
async def list_listings(
    session: Session, actor: AppReader, page: OffsetPaging, app_id: AppQuery
) -> Sequence[Listing]:
    """List the listings of an app, newest first."""
    return await service.list_listings(session, actor, page, app_id)


@router.get("/search", response_model=list[ListingSummary])
async def search_listings(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    app_id: AppQuery,
    q: Annotated[
        Text,
        Query(max_length=500, description="What the title has in it, taken literally"),
    ],
) -> Sequence[Listing]:
    """Find listings by a part of their title, in upper or lower case, newest first."""
    return await service.search_listings(session, actor, page, app_id, q)


@router.post("", status_code=status.HTTP_201_CREATED, response_model=ListingRead)
async def create_listing(session: Session, actor: AppWriter, new: ListingCreate) -> Listing:
    """Make a listing."""
    return await service.create_listing(session, actor, new)


@router.get("/{listing_id}", response_model=ListingRead, responses=problems(ListingNotFound))
async def get_listing(
    session: Session, actor: AppReader, listing_id: UUID, app_id: AppQuery
) -> Listing:
    """Read a listing, whole."""
    return await service.get_listing(session, actor, listing_id, app_id)


@router.put("/{listing_id}", response_model=ListingRead, responses=problems(ListingNotFound))
async def update_listing(
    session: Session, actor: AppWriter, listing_id: UUID, changes: ListingUpdate
) -> Listing:
    """Change a listing: only the fields that are sent, and null clears."""
    return await service.update_listing(session, actor, listing_id, changes)


@router.delete("/{listing_id}", responses=problems(ListingNotFound))
async def delete_listing(
    session: Session,
    actor: AppWriter,
    remover: BytesRemover,
    listing_id: UUID,
    app_id: AppQuery,
) -> Deleted:
    """Delete a listing with its files and its history; the bytes of the files go after that."""
    keys = await service.delete_listing(session, actor, listing_id, app_id)
    remover.remove_later(keys)
    return Deleted(id=listing_id)
