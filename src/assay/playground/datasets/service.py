"""Rules and queries of datasets."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import with_expression
from sqlalchemy.orm.attributes import set_committed_value

from assay.core.errors import NotFound
from assay.core.pagination import Page
from assay.identity.actor import Actor
from assay.playground.counting import counts, select_fresh
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.datasets.schemas import DatasetCreate, DatasetUpdate
from assay.playground.projects.service import hold_use_case
from assay.playground.runs.models import EvalRun


class DatasetNotFound(NotFound):
    """There is no dataset with this id."""


def _datasets() -> Select[Dataset]:
    def inside(counted: type[Any]) -> Select[int]:
        return (
            select(func.count())
            .select_from(counted)
            .where(counted.dataset_id == Dataset.id)
            .correlate(Dataset)
        )

    number = counts(items=inside(DatasetItem), runs=inside(EvalRun))
    return select_fresh(Dataset).options(with_expression(Dataset.counts, number))


async def list_datasets(
    session: AsyncSession, actor: Actor, use_case_id: UUID, page: Page
) -> Sequence[Dataset]:
    """A page of a use case's datasets, newest first.

    Raises:
        UseCaseNotFound
    """
    query = _datasets().where(Dataset.use_case_id == use_case_id)
    datasets = await page.fetch(session, query, Dataset.id)
    if not datasets:
        await hold_use_case(session, use_case_id)
    return datasets


async def create_dataset(
    session: AsyncSession, actor: Actor, use_case_id: UUID, new: DatasetCreate
) -> Dataset:
    """Make a dataset, as yet without items.

    Raises:
        UseCaseNotFound
    """
    await hold_use_case(session, use_case_id)
    dataset = Dataset(use_case_id=use_case_id, **new.model_dump(exclude_unset=True))
    session.add(dataset)
    await session.flush()
    set_committed_value(dataset, "counts", {})
    return dataset


async def get_dataset(
    session: AsyncSession, actor: Actor, dataset_id: UUID, *, for_update: bool = False
) -> Dataset:
    """A dataset with its counts.

    `for_update` keeps it from being changed or deleted until the transaction ends.

    Raises:
        DatasetNotFound
    """
    query = _datasets().where(Dataset.id == dataset_id)
    if for_update:
        query = query.with_for_update(key_share=True, of=Dataset)
    dataset = await session.scalar(query)
    if dataset is None:
        raise DatasetNotFound
    return dataset


async def update_dataset(
    session: AsyncSession, actor: Actor, dataset_id: UUID, changes: DatasetUpdate
) -> Dataset:
    """Change the fields that were sent; items already there are not held against new schemas.

    Raises:
        DatasetNotFound
    """
    dataset = await get_dataset(session, actor, dataset_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(dataset, field, value)
    await session.flush()
    return dataset


async def delete_dataset(session: AsyncSession, actor: Actor, dataset_id: UUID) -> None:
    """Delete a dataset with its items and the runs on it.

    Raises:
        DatasetNotFound
    """
    statement = delete(Dataset).where(Dataset.id == dataset_id).returning(Dataset.id)
    if await session.scalar(statement) is None:
        raise DatasetNotFound
