"""The items of a dataset as they were in a version of it: the one place that knows how.

A version only ever says which items there were and what they held. What is there now is the
version that the dataset is at, and reading that costs nothing more: revisions are looked at only
for items that were changed later.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from assay.playground.datasets.models import DatasetItem, ItemRevision

CONTENT = ("input", "expected_output", "assertions", "item_metadata")


def present(dataset_id: UUID | ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> Any:
    """The condition that an item is in the dataset now; for the `where` of a query."""
    return and_(DatasetItem.dataset_id == dataset_id, DatasetItem.deleted_in.is_(None))


def present_in(dataset_id: UUID, version: int) -> ColumnElement[bool]:
    """The condition that an item was in the dataset in this version of it."""
    return and_(
        DatasetItem.dataset_id == dataset_id,
        DatasetItem.created_in <= version,
        or_(DatasetItem.deleted_in.is_(None), DatasetItem.deleted_in > version),
    )


def content_in(version: int) -> Mapping[str, ColumnElement[Any]]:
    """What an item held in this version, by the names in `CONTENT`; columns for a select."""
    return {name: _held(name, version).label(name) for name in CONTENT}


def _held(name: str, version: int) -> ColumnElement[Any]:
    # A subquery in a branch runs only for rows that come to the branch; a join would look for
    # revisions of every item.
    then = (
        select(getattr(ItemRevision, name))
        .where(
            ItemRevision.item_id == DatasetItem.id,
            ItemRevision.from_version <= version,
            ItemRevision.to_version > version,
        )
        .correlate(DatasetItem)
        .scalar_subquery()
    )
    now = getattr(DatasetItem, name)
    return case((DatasetItem.changed_in <= version, now), else_=then)
