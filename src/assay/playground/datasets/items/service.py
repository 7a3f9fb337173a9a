"""Rules and queries of a dataset's items."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid, NotFound
from assay.core.pagination import Page
from assay.core.problems import place
from assay.core.text import Location
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, changed_fields, record
from assay.playground.access import authorize, in_datasets, project_of_item
from assay.playground.datasets.items.schemas import ItemBatch, ItemCreate, ItemUpdate
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.datasets.service import DatasetNotFound, authorize_dataset
from assay.playground.json_schema import compile_schema, schema_faults

MAX_FAULTS = 100


class ItemNotFound(NotFound):
    """There is no dataset item with this id."""


class ItemsUnfit(Invalid):
    """The items do not fit the schemas of their dataset."""

    code = "items_unfit"


class ItemRules:
    """A dataset's schemas, compiled; without a schema everything fits."""

    def __init__(self, dataset: Dataset) -> None:
        schemas = {
            "input": dataset.input_schema,
            "expected_output": dataset.expected_output_schema,
        }
        self._validators = {
            field: compile_schema(schema) for field, schema in schemas.items() if schema is not None
        }

    def faults(self, item: Mapping[str, Any], location: Location) -> Iterator[FieldFault]:
        """What keeps the fields of an item from fitting; one that expects nothing fits.

        Args:
            item: fields by name; those that are not there are not looked at.
            location: where the item stands in the request.
        """
        for field, validator in self._validators.items():
            if item.get(field) is not None:
                for below, message in schema_faults(validator, item[field]):
                    yield FieldFault(place((*location, field, *below)), message)


async def list_items(
    session: AsyncSession, actor: Actor, dataset_id: UUID, page: Page
) -> Sequence[DatasetItem]:
    """A page of a dataset's items, in the order they were made in.

    Raises:
        DatasetNotFound
    """
    query = select(DatasetItem).where(
        DatasetItem.dataset_id == dataset_id, in_datasets(actor, DatasetItem.dataset_id)
    )
    items = await page.fetch(session, query, DatasetItem.id, descending=False)
    if not items:
        await _require_dataset(session, actor, dataset_id)
    return items


async def create_items(
    session: AsyncSession, actor: Actor, dataset_id: UUID, new: ItemCreate | ItemBatch
) -> list[DatasetItem]:
    """Make one item or many: all, or where one does not fit, none.

    Raises:
        DatasetNotFound, RoleTooLow
        ItemsUnfit: `errors` names the first 100 faults.
    """
    project_id = await authorize_dataset(session, actor, dataset_id)
    rules = ItemRules(await _hold_dataset(session, dataset_id))
    rows = [(location, _columns(item)) for location, item in _with_locations(new)]
    _raise(fault for location, row in rows for fault in rules.faults(row, location))
    items = [DatasetItem(dataset_id=dataset_id, **row) for _, row in rows]
    session.add_all(items)
    await session.flush()
    action, told = "dataset.items_added", {"items": len(items)}
    record(session, actor, Change(Topic.datasets, action, dataset_id, project_id, told))
    return items


def _with_locations(new: ItemCreate | ItemBatch) -> list[tuple[Location, ItemCreate]]:
    if isinstance(new, ItemCreate):
        return [(("body",), new)]
    return [(("body", "items", index), item) for index, item in enumerate(new.items)]


def _columns(item: ItemCreate | ItemUpdate) -> dict[str, Any]:
    return item.model_dump(by_alias=True, exclude_unset=True)


def _raise(faults: Iterator[FieldFault]) -> None:
    found = list(islice(faults, MAX_FAULTS))
    if found:
        raise ItemsUnfit(errors=found)


async def get_item(session: AsyncSession, actor: Actor, item_id: UUID) -> DatasetItem:
    """An item.

    Raises:
        ItemNotFound
    """
    item = await session.scalar(
        select(DatasetItem).where(
            DatasetItem.id == item_id, in_datasets(actor, DatasetItem.dataset_id)
        )
    )
    if item is None:
        raise ItemNotFound
    return item


async def update_item(
    session: AsyncSession, actor: Actor, item_id: UUID, changes: ItemUpdate
) -> DatasetItem:
    """Change the fields that were sent; only these are held against the dataset's schemas.

    Raises:
        ItemNotFound, ItemsUnfit, RoleTooLow
    """
    project_id = await _authorize_item(session, actor, item_id)
    query = (
        select(DatasetItem, Dataset)
        .join(Dataset, Dataset.id == DatasetItem.dataset_id)
        .where(DatasetItem.id == item_id)
        .with_for_update(key_share=True, of=DatasetItem)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise ItemNotFound
    item, dataset = found
    columns = _columns(changes)
    _raise(ItemRules(dataset).faults(columns, ("body",)))
    for field, value in columns.items():
        setattr(item, field, value)
    told = changed_fields(item)
    await session.flush()
    _record(session, actor, "dataset_item.updated", item.id, item.dataset_id, project_id, **told)
    return item


async def delete_item(session: AsyncSession, actor: Actor, item_id: UUID) -> None:
    """Delete an item with its results.

    Raises:
        ItemNotFound, RoleTooLow
    """
    project_id = await _authorize_item(session, actor, item_id)
    statement = delete(DatasetItem).where(DatasetItem.id == item_id)
    dataset_id = await session.scalar(statement.returning(DatasetItem.dataset_id))
    if dataset_id is None:
        raise ItemNotFound
    _record(session, actor, "dataset_item.deleted", item_id, dataset_id, project_id)


async def _authorize_item(session: AsyncSession, actor: Actor, item_id: UUID) -> UUID:
    project = project_of_item(item_id)
    return await authorize(session, actor, Role.editor, project, ItemNotFound())


async def _require_dataset(session: AsyncSession, actor: Actor, dataset_id: UUID) -> None:
    query = select(Dataset.id).where(Dataset.id == dataset_id, in_datasets(actor, Dataset.id))
    if await session.scalar(query) is None:
        raise DatasetNotFound


def _record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    item_id: UUID,
    dataset_id: UUID,
    project_id: UUID,
    **details: object,
) -> None:
    details = {"dataset_id": str(dataset_id), **details}
    record(session, actor, Change(Topic.datasets, action, item_id, project_id, details))


async def _hold_dataset(session: AsyncSession, dataset_id: UUID) -> Dataset:
    query = select(Dataset).where(Dataset.id == dataset_id)
    dataset = await session.scalar(query.with_for_update(read=True, key_share=True))
    if dataset is None:
        raise DatasetNotFound
    return dataset
