"""Endpoints of a dataset's items."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.playground.access import Editor, Reader
from assay.playground.datasets.items import service
from assay.playground.datasets.items.schemas import ItemBatch, ItemRead, ItemUpdate, NewItems
from assay.playground.datasets.items.service import EarlierItem, ItemNotFound, ItemsUnfit
from assay.playground.datasets.models import DatasetItem
from assay.playground.datasets.service import DatasetNotFound
from assay.playground.datasets.versions import VERSIONS, VersionNotFound

router = APIRouter(tags=["dataset-items"], responses=problems(Invalid))


@router.get(
    "/datasets/{dataset_id}/items",
    response_model=list[ItemRead],
    responses=problems(DatasetNotFound, VersionNotFound),
)
async def list_items(
    session: Session,
    actor: Reader,
    page: Paging,
    dataset_id: UUID,
    version: Annotated[
        int | None, Query(**VERSIONS, description="As they were in this version of the dataset")
    ] = None,
) -> Sequence[DatasetItem | EarlierItem]:
    """List the items of a dataset, in the order they were made in."""
    return await service.list_items(session, actor, dataset_id, page, version)


@router.post(
    "/datasets/{dataset_id}/items",
    status_code=status.HTTP_201_CREATED,
    response_model=ItemRead | list[ItemRead],
    responses=problems(DatasetNotFound, Invalid, ItemsUnfit),
)
async def create_items(
    session: Session, actor: Editor, dataset_id: UUID, new: Annotated[NewItems, Body()]
) -> DatasetItem | list[DatasetItem]:
    """Make one item, or `items`, up to 1,000 of them: all or none."""
    items = await service.create_items(session, actor, dataset_id, new)
    return items if isinstance(new, ItemBatch) else items[0]


@router.get("/dataset-items/{item_id}", response_model=ItemRead, responses=problems(ItemNotFound))
async def get_item(session: Session, actor: Reader, item_id: UUID) -> DatasetItem:
    """Read an item."""
    return await service.get_item(session, actor, item_id)


@router.patch(
    "/dataset-items/{item_id}",
    response_model=ItemRead,
    responses=problems(ItemNotFound, Invalid, ItemsUnfit),
)
async def update_item(
    session: Session, actor: Editor, item_id: UUID, changes: ItemUpdate
) -> DatasetItem:
    """Change an item: only the fields that are sent."""
    return await service.update_item(session, actor, item_id, changes)


@router.delete(
    "/dataset-items/{item_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(ItemNotFound),
)
async def delete_item(session: Session, actor: Editor, item_id: UUID) -> None:
    """Delete an item; runs that saw it, and earlier versions of the dataset, keep it."""
    await service.delete_item(session, actor, item_id)
