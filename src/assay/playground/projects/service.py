"""Rules and queries of projects and use cases."""

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
from assay.playground.datasets.models import Dataset
from assay.playground.projects.models import Project, UseCase
from assay.playground.projects.schemas import (
    ProjectCreate,
    ProjectUpdate,
    UseCaseCreate,
    UseCaseUpdate,
)
from assay.playground.prompts.models import Prompt
from assay.playground.runs.models import EvalRun


class ProjectNotFound(NotFound):
    """There is no project with this id."""


class UseCaseNotFound(NotFound):
    """There is no use case with this id."""


def _projects() -> Select[Project]:
    def inside(counted: type[Any]) -> Select[int]:
        return (
            select(func.count())
            .select_from(counted)
            .join(UseCase, UseCase.id == counted.use_case_id)
            .where(UseCase.project_id == Project.id)
            .correlate(Project)
        )

    number = counts(
        use_cases=select(func.count())
        .select_from(UseCase)
        .where(UseCase.project_id == Project.id)
        .correlate(Project),
        prompts=inside(Prompt),
        datasets=inside(Dataset),
        runs=inside(Dataset).join(EvalRun, EvalRun.dataset_id == Dataset.id),
    )
    return select_fresh(Project).options(with_expression(Project.counts, number))


def _use_cases() -> Select[UseCase]:
    def inside(counted: type[Any]) -> Select[int]:
        return (
            select(func.count())
            .select_from(counted)
            .where(counted.use_case_id == UseCase.id)
            .correlate(UseCase)
        )

    number = counts(
        prompts=inside(Prompt),
        datasets=inside(Dataset),
        runs=inside(Dataset).join(EvalRun, EvalRun.dataset_id == Dataset.id),
    )
    return select_fresh(UseCase).options(with_expression(UseCase.counts, number))


async def list_projects(session: AsyncSession, actor: Actor, page: Page) -> Sequence[Project]:
    """A page of projects, newest first."""
    return await page.fetch(session, _projects(), Project.id)


async def create_project(session: AsyncSession, actor: Actor, new: ProjectCreate) -> Project:
    """Make a project."""
    project = Project(**new.model_dump())
    session.add(project)
    await session.flush()
    set_committed_value(project, "counts", {})
    return project


async def get_project(
    session: AsyncSession, actor: Actor, project_id: UUID, *, for_update: bool = False
) -> Project:
    """A project with its counts; `for_update` keeps it from being changed or deleted meanwhile.

    Raises:
        ProjectNotFound
    """
    query = _projects().where(Project.id == project_id)
    if for_update:
        query = query.with_for_update(key_share=True, of=Project)
    project = await session.scalar(query)
    if project is None:
        raise ProjectNotFound
    return project


async def update_project(
    session: AsyncSession, actor: Actor, project_id: UUID, changes: ProjectUpdate
) -> Project:
    """Change the fields that were sent.

    Raises:
        ProjectNotFound
    """
    project = await get_project(session, actor, project_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(project, field, value)
    await session.flush()
    return project


async def delete_project(session: AsyncSession, actor: Actor, project_id: UUID) -> None:
    """Delete a project with everything in it.

    Raises:
        ProjectNotFound
    """
    statement = delete(Project).where(Project.id == project_id).returning(Project.id)
    if await session.scalar(statement) is None:
        raise ProjectNotFound


async def hold_project(session: AsyncSession, project_id: UUID) -> None:
    """Make sure that a project is there, and stays until the transaction ends.

    Raises:
        ProjectNotFound
    """
    query = select(Project.id).where(Project.id == project_id)
    if await session.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise ProjectNotFound


async def list_use_cases(
    session: AsyncSession, actor: Actor, project_id: UUID, page: Page
) -> Sequence[UseCase]:
    """A page of a project's use cases, newest first.

    Raises:
        ProjectNotFound
    """
    query = _use_cases().where(UseCase.project_id == project_id)
    use_cases = await page.fetch(session, query, UseCase.id)
    if not use_cases:
        await hold_project(session, project_id)
    return use_cases


async def create_use_case(
    session: AsyncSession, actor: Actor, project_id: UUID, new: UseCaseCreate
) -> UseCase:
    """Make a use case in a project.

    Raises:
        ProjectNotFound
    """
    await hold_project(session, project_id)
    use_case = UseCase(project_id=project_id, **new.model_dump())
    session.add(use_case)
    await session.flush()
    set_committed_value(use_case, "counts", {})
    return use_case


async def get_use_case(
    session: AsyncSession, actor: Actor, use_case_id: UUID, *, for_update: bool = False
) -> UseCase:
    """A use case with its counts; `for_update` as in `get_project`.

    Raises:
        UseCaseNotFound
    """
    query = _use_cases().where(UseCase.id == use_case_id)
    if for_update:
        query = query.with_for_update(key_share=True, of=UseCase)
    use_case = await session.scalar(query)
    if use_case is None:
        raise UseCaseNotFound
    return use_case


async def update_use_case(
    session: AsyncSession, actor: Actor, use_case_id: UUID, changes: UseCaseUpdate
) -> UseCase:
    """Change the fields that were sent.

    Raises:
        UseCaseNotFound
    """
    use_case = await get_use_case(session, actor, use_case_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(use_case, field, value)
    await session.flush()
    return use_case


async def delete_use_case(session: AsyncSession, actor: Actor, use_case_id: UUID) -> None:
    """Delete a use case with its prompts, datasets and runs.

    Raises:
        UseCaseNotFound
    """
    statement = delete(UseCase).where(UseCase.id == use_case_id).returning(UseCase.id)
    if await session.scalar(statement) is None:
        raise UseCaseNotFound


async def hold_use_case(session: AsyncSession, use_case_id: UUID) -> None:
    """Make sure that a use case is there, and stays until the transaction ends.

    Raises:
        UseCaseNotFound
    """
    query = select(UseCase.id).where(UseCase.id == use_case_id)
    if await session.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise UseCaseNotFound
