"""The versions of a dataset: each change of its items makes the next one."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import NotFound
from assay.identity.actor import Actor
from assay.playground.access import in_datasets
from assay.playground.datasets.models import Dataset
from assay.playground.datasets.service import DatasetNotFound

VERSIONS: dict[str, Any] = {"ge": 0, "le": 2**31 - 1}
"""What the number of a version can be, for a parameter."""


class VersionNotFound(NotFound):
    """The dataset has not had this version."""


async def next_version(session: AsyncSession, dataset_id: UUID) -> Dataset:
    """Take the next version of a dataset for a change of its items; gives the dataset.

    Until the transaction ends nobody else can take one, or change the dataset.

    Raises:
        DatasetNotFound
    """
    statement = (
        update(Dataset)
        .where(Dataset.id == dataset_id)
        # The time is that of the dataset's own fields.
        .values(version=Dataset.version + 1, updated_at=Dataset.updated_at)
        .returning(Dataset)
        .execution_options(populate_existing=True)
    )
    dataset: Dataset | None = await session.scalar(statement)
    if dataset is None:
        raise DatasetNotFound
    return dataset


async def require_version(
    session: AsyncSession, actor: Actor, dataset_id: UUID, version: int | None = None
) -> int:
    """The version that a dataset is at; it must have had `version`.

    Raises:
        DatasetNotFound, VersionNotFound
    """
    query = select(Dataset.version).where(Dataset.id == dataset_id, in_datasets(actor, Dataset.id))
    newest: int | None = await session.scalar(query)
    if newest is None:
        raise DatasetNotFound
    if version is not None and version > newest:
        raise VersionNotFound(f"The dataset has no version {version}; it is at {newest}.")
    return newest
