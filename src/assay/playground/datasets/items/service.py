"""Rules and queries of a dataset's items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid, NotFound
from assay.core.pagination import Page
from assay.core.problems import place
from assay.core.text import Location
from assay.events.models import Topic
from assay.grading.json_schemas import compile_schema, schema_faults
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, changed_fields, record
from assay.playground.access import authorize, in_datasets, project_of_item
from assay.playground.datasets.items.history import CONTENT, content_in, present, present_in
from assay.playground.datasets.items.schemas import ItemBatch, ItemCreate, ItemUpdate
from assay.playground.datasets.models import Dataset, DatasetItem, ItemRevision
from assay.playground.datasets.service import authorize_dataset
from assay.playground.datasets.versions import next_version, require_version

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


@dataclass(frozen=True, slots=True)
class EarlierItem:
    """An item with what it held in a version of its dataset."""

    id: UUID
    dataset_id: UUID
    created_at: datetime
    updated_at: datetime
    input: dict[str, Any]
    expected_output: Any
    assertions: list[dict[str, Any]] | None
    item_metadata: dict[str, Any] | None


async def list_items(
    session: AsyncSession, actor: Actor, dataset_id: UUID, page: Page, version: int | None = None
) -> Sequence[DatasetItem | EarlierItem]:
    """A page of a dataset's items, in the order they were made in.

    With `version`, they are those that were there in that version, with what they held then.

    Raises:
        DatasetNotFound, VersionNotFound
    """
    if version is not None:
        await require_version(session, actor, dataset_id, version)
        query = _items_in(dataset_id, version)
        rows = await page.fetch(session, query, DatasetItem.id, descending=False)
        return [EarlierItem(*row) for row in rows]
    visible = in_datasets(actor, DatasetItem.dataset_id)
    now = select(DatasetItem).where(present(dataset_id), visible)
    items: Sequence[DatasetItem] = await page.fetch(session, now, DatasetItem.id, descending=False)
    if not items:
        await require_version(session, actor, dataset_id)
    return items


def _items_in(dataset_id: UUID, version: int) -> Select[*tuple[Any, ...]]:
    return select(
        DatasetItem.id,
        DatasetItem.dataset_id,
        DatasetItem.created_at,
        DatasetItem.updated_at,
        *content_in(version).values(),
    ).where(present_in(dataset_id, version))


async def create_items(
    session: AsyncSession, actor: Actor, dataset_id: UUID, new: ItemCreate | ItemBatch
) -> list[DatasetItem]:
    """Make one item or many: all, or where one does not fit, none.

    Raises:
        DatasetNotFound, RoleTooLow
        ItemsUnfit: `errors` names the first 100 faults.
    """
    project_id = await authorize_dataset(session, actor, dataset_id)
    dataset = await next_version(session, dataset_id)
    rules = ItemRules(dataset)
    rows = [(location, _columns(item)) for location, item in _with_locations(new)]
    _raise(fault for location, row in rows for fault in rules.faults(row, location))
    since = {"created_in": dataset.version, "changed_in": dataset.version}
    items = [DatasetItem(dataset_id=dataset_id, **since, **row) for _, row in rows]
    session.add_all(items)
    await session.flush()
    action, told = "dataset.items_added", {"items": len(items), "version": dataset.version}
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
            DatasetItem.id == item_id,
            DatasetItem.deleted_in.is_(None),
            in_datasets(actor, DatasetItem.dataset_id),
        )
    )
    if item is None:
        raise ItemNotFound
    return item


async def update_item(
    session: AsyncSession, actor: Actor, item_id: UUID, changes: ItemUpdate
) -> DatasetItem:
    """Change the fields that were sent; only these are held against the dataset's schemas.

    What it held before is kept as a revision. Where nothing changes, no version is made.

    Raises:
        ItemNotFound, ItemsUnfit, RoleTooLow
    """
    project_id = await _authorize_item(session, actor, item_id)
    item, dataset = await _hold_item(session, item_id)
    columns = _columns(changes)
    _raise(ItemRules(dataset).faults(columns, ("body",)))
    before = {name: getattr(item, name) for name in CONTENT}
    if {**before, **columns} == before:
        return item
    dataset = await next_version(session, dataset.id)
    for field, value in columns.items():
        setattr(item, field, value)
    told = changed_fields(item)
    versions = {"from_version": item.changed_in, "to_version": dataset.version}
    session.add(ItemRevision(item_id=item.id, **versions, **before))
    item.changed_in = dataset.version
    await session.flush()
    told["version"] = dataset.version
    _record(session, actor, "dataset_item.updated", item.id, item.dataset_id, project_id, **told)
    return item


async def delete_item(session: AsyncSession, actor: Actor, item_id: UUID) -> None:
    """Delete an item; it stays for the runs that saw it, and for earlier versions.

    Raises:
        ItemNotFound, RoleTooLow
    """
    project_id = await _authorize_item(session, actor, item_id)
    item, dataset = await _hold_item(session, item_id)
    dataset = await next_version(session, dataset.id)
    item.deleted_in = dataset.version
    await session.flush()
    told = {"version": dataset.version}
    _record(session, actor, "dataset_item.deleted", item_id, dataset.id, project_id, **told)


async def _authorize_item(session: AsyncSession, actor: Actor, item_id: UUID) -> UUID:
    project = project_of_item(item_id)
    return await authorize(session, actor, Role.editor, project, ItemNotFound())


async def _hold_item(session: AsyncSession, item_id: UUID) -> tuple[DatasetItem, Dataset]:
    """An item that is there, and its dataset, which nobody else changes until the end."""
    mine = select(DatasetItem.dataset_id).where(DatasetItem.id == item_id).scalar_subquery()
    query = select(Dataset).where(Dataset.id == mine).with_for_update(key_share=True)
    dataset = await session.scalar(query)
    item = await session.scalar(
        select(DatasetItem).where(DatasetItem.id == item_id, DatasetItem.deleted_in.is_(None))
    )
    if dataset is None or item is None:
        raise ItemNotFound
    return item, dataset


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
