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
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, changed_fields, record
from assay.playground.access import authorize, in_use_cases, project_of_dataset
from assay.playground.counting import counts, select_fresh
from assay.playground.datasets.guarding import keeping_gates, refuse_guard
from assay.playground.datasets.items.history import present
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.datasets.schemas import DatasetCreate, DatasetUpdate
from assay.playground.projects.service import hold_use_case, require_use_case
from assay.playground.runs.models import EvalRun
from assay.playground.runs.people import People
from assay.playground.runs.service import cancel_runs


class DatasetNotFound(NotFound):
    """There is no dataset with this id."""


def _datasets(actor: Actor) -> Select[Dataset]:
    def inside(counted: type[Any], condition: Any) -> Select[int]:
        return select(func.count()).select_from(counted).where(condition).correlate(Dataset)

    number = counts(
        items=inside(DatasetItem, present(Dataset.id)),
        runs=inside(EvalRun, EvalRun.dataset_id == Dataset.id),
    )
    query = select_fresh(Dataset).where(in_use_cases(actor, Dataset.use_case_id))
    return query.options(with_expression(Dataset.counts, number))


async def list_datasets(
    session: AsyncSession, actor: Actor, use_case_id: UUID, page: Page
) -> Sequence[Dataset]:
    """A page of a use case's datasets, newest first.

    Raises:
        UseCaseNotFound
    """
    query = _datasets(actor).where(Dataset.use_case_id == use_case_id)
    datasets = await page.fetch(session, query, Dataset.id)
    if not datasets:
        await require_use_case(session, actor, use_case_id)
    return datasets


async def create_dataset(
    session: AsyncSession, actor: Actor, use_case_id: UUID, new: DatasetCreate
) -> Dataset:
    """Make a dataset, as yet without items.

    Raises:
        UseCaseNotFound, RoleTooLow
    """
    project_id = await hold_use_case(session, actor, use_case_id)
    dataset = Dataset(use_case_id=use_case_id, **new.model_dump(exclude_unset=True))
    session.add(dataset)
    await session.flush()
    _record(session, actor, "dataset.created", dataset.id, project_id, name=dataset.name)
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
    query = _datasets(actor).where(Dataset.id == dataset_id)
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
        DatasetNotFound, RoleTooLow
    """
    project_id = await authorize_dataset(session, actor, dataset_id)
    dataset = await get_dataset(session, actor, dataset_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(dataset, field, value)
    told = changed_fields(dataset)
    await session.flush()
    _record(session, actor, "dataset.updated", dataset.id, project_id, **told)
    return dataset


async def delete_dataset(
    session: AsyncSession, actor: Actor, people: People, dataset_id: UUID
) -> None:
    """Delete a dataset with its items, their earlier versions, and the runs on it.

    Runs that go on are canceled before, and what `people` were asked for them is withdrawn.

    Raises:
        DatasetNotFound, DatasetGuardsLabel, RoleTooLow
    """
    project_id = await authorize_dataset(session, actor, dataset_id)
    await refuse_guard(session, dataset_id)
    await cancel_runs(session, actor, people, EvalRun.dataset_id == dataset_id)
    statement = delete(Dataset).where(Dataset.id == dataset_id).returning(Dataset.name)
    async with keeping_gates():
        name = await session.scalar(statement)
    if name is None:
        raise DatasetNotFound
    _record(session, actor, "dataset.deleted", dataset_id, project_id, name=name)


async def authorize_dataset(session: AsyncSession, actor: Actor, dataset_id: UUID) -> UUID:
    """Make sure that the actor may change a dataset; gives the project that it is in.

    Raises:
        DatasetNotFound, RoleTooLow
    """
    project = project_of_dataset(dataset_id)
    return await authorize(session, actor, Role.editor, project, DatasetNotFound())


def _record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    subject: UUID,
    project_id: UUID,
    **details: object,
) -> None:
    record(session, actor, Change(Topic.datasets, action, subject, project_id, details))
