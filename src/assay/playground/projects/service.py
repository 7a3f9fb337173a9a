"""Rules and queries of projects and use cases."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import with_expression
from sqlalchemy.orm.attributes import set_committed_value

from assay.core.errors import Forbidden, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, changed_fields, record
from assay.playground.access import (
    authorize,
    in_projects,
    in_use_cases,
    project_of_use_case,
)
from assay.playground.counting import counts, select_fresh
from assay.playground.datasets.guarding import keeping_gates
from assay.playground.datasets.models import Dataset
from assay.playground.projects.models import Project, ProjectMember, UseCase
from assay.playground.projects.schemas import (
    ProjectCreate,
    ProjectUpdate,
    UseCaseCreate,
    UseCaseUpdate,
)
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.runs.models import EvalRun
from assay.playground.runs.people import People
from assay.playground.runs.service import cancel_runs


class ProjectNotFound(NotFound):
    """There is no project with this id."""


class UseCaseNotFound(NotFound):
    """There is no use case with this id."""


class KeyOfOneProject(Forbidden):
    """The API key is for one project, so it cannot make another one."""


def _in_projects(counted: type[Any]) -> Select[int]:
    return (
        select(func.count())
        .select_from(counted)
        .join(UseCase, UseCase.id == counted.use_case_id)
        .where(UseCase.project_id == Project.id)
        .correlate(Project)
    )


def _in_use_cases(counted: type[Any]) -> Select[int]:
    return (
        select(func.count())
        .select_from(counted)
        .where(counted.use_case_id == UseCase.id)
        .correlate(UseCase)
    )


# Made once, and narrowed once for each actor: to put such a query together takes longer than to
# ask it.
_PROJECTS = select_fresh(Project).options(
    with_expression(
        Project.counts,
        counts(
            use_cases=select(func.count())
            .select_from(UseCase)
            .where(UseCase.project_id == Project.id)
            .correlate(Project),
            prompts=_in_projects(Prompt),
            datasets=_in_projects(Dataset),
            runs=_in_projects(Dataset).join(EvalRun, EvalRun.dataset_id == Dataset.id),
        ),
    )
)
_USE_CASES = select_fresh(UseCase).options(
    with_expression(
        UseCase.counts,
        counts(
            prompts=_in_use_cases(Prompt),
            datasets=_in_use_cases(Dataset),
            runs=_in_use_cases(Dataset).join(EvalRun, EvalRun.dataset_id == Dataset.id),
        ),
    )
)


@lru_cache(maxsize=1024)
def _projects(actor: Actor) -> Select[Project]:
    return _PROJECTS.where(in_projects(actor, Project.id))


@lru_cache(maxsize=1024)
def _project(actor: Actor) -> Select[Project]:
    return _projects(actor).where(Project.id == bindparam("id"))


@lru_cache(maxsize=1024)
def _use_cases(actor: Actor) -> Select[UseCase]:
    return _USE_CASES.where(in_projects(actor, UseCase.project_id))


@lru_cache(maxsize=1024)
def _use_case(actor: Actor) -> Select[UseCase]:
    return _use_cases(actor).where(UseCase.id == bindparam("id"))


async def list_projects(session: AsyncSession, actor: Actor, page: Page) -> Sequence[Project]:
    """A page of projects, newest first."""
    return await page.fetch(session, _projects(actor), Project.id)


async def create_project(session: AsyncSession, actor: Actor, new: ProjectCreate) -> Project:
    """Make a project; the one who makes it is its first member, as an admin of it.

    Raises:
        KeyOfOneProject
    """
    if actor.project_id is not None:
        raise KeyOfOneProject
    project = Project(**new.model_dump())
    session.add(project)
    await session.flush()
    if actor.own_id is not None:
        session.add(
            ProjectMember(
                project_id=project.id,
                user_id=actor.own_id,
                role=Role.admin,
                added_by=actor.user_id,
            )
        )
    _record(session, actor, "project.created", project.id, project.id, name=project.name)
    set_committed_value(project, "counts", {})
    return project


async def get_project(
    session: AsyncSession, actor: Actor, project_id: UUID, *, for_update: bool = False
) -> Project:
    """A project with its counts; `for_update` keeps it from being changed or deleted meanwhile.

    Raises:
        ProjectNotFound
    """
    query = _project(actor)
    if for_update:
        query = query.with_for_update(key_share=True, of=Project)
    project = await session.scalar(query, {"id": project_id})
    if project is None:
        raise ProjectNotFound
    return project


async def update_project(
    session: AsyncSession, actor: Actor, project_id: UUID, changes: ProjectUpdate
) -> Project:
    """Change the fields that were sent.

    Raises:
        ProjectNotFound, RoleTooLow
    """
    await authorize_project(session, actor, Role.editor, project_id)
    project = await get_project(session, actor, project_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(project, field, value)
    told = changed_fields(project)
    await session.flush()
    _record(session, actor, "project.updated", project.id, project.id, **told)
    return project


async def delete_project(
    session: AsyncSession, actor: Actor, people: People, project_id: UUID
) -> None:
    """Delete a project with everything in it.

    Runs that go on are canceled before, and what `people` were asked for them is withdrawn.

    Raises:
        ProjectNotFound
        RoleTooLow: it takes an admin of the project.
    """
    await authorize_project(session, actor, Role.admin, project_id)
    await cancel_runs(session, actor, people, EvalRun.project_id == project_id)
    statement = delete(Project).where(Project.id == project_id).returning(Project.name)
    name = await session.scalar(statement)
    if name is None:
        raise ProjectNotFound
    _record(session, actor, "project.deleted", project_id, project_id, name=name)


async def authorize_project(
    session: AsyncSession, actor: Actor, role: Role, project_id: UUID
) -> None:
    """Make sure that a project is there and that the actor has this role in it.

    Raises:
        ProjectNotFound, RoleTooLow
    """
    project = select(Project.id).where(Project.id == project_id)
    await authorize(session, actor, role, project, ProjectNotFound())


async def hold_project(
    session: AsyncSession, actor: Actor, project_id: UUID, role: Role = Role.viewer
) -> None:
    """As `authorize_project`, and the project stays until the transaction ends.

    Raises:
        ProjectNotFound, RoleTooLow
    """
    await authorize_project(session, actor, role, project_id)
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
    query = _use_cases(actor).where(UseCase.project_id == project_id)
    use_cases = await page.fetch(session, query, UseCase.id)
    if not use_cases:
        await hold_project(session, actor, project_id)
    return use_cases


async def create_use_case(
    session: AsyncSession, actor: Actor, project_id: UUID, new: UseCaseCreate
) -> UseCase:
    """Make a use case in a project.

    Raises:
        ProjectNotFound, RoleTooLow
    """
    await hold_project(session, actor, project_id, Role.editor)
    use_case = UseCase(project_id=project_id, **new.model_dump())
    session.add(use_case)
    await session.flush()
    _record(session, actor, "use_case.created", use_case.id, project_id, name=use_case.name)
    set_committed_value(use_case, "counts", {})
    return use_case


async def get_use_case(
    session: AsyncSession, actor: Actor, use_case_id: UUID, *, for_update: bool = False
) -> UseCase:
    """A use case with its counts; `for_update` as in `get_project`.

    Raises:
        UseCaseNotFound
    """
    query = _use_case(actor)
    if for_update:
        query = query.with_for_update(key_share=True, of=UseCase)
    use_case = await session.scalar(query, {"id": use_case_id})
    if use_case is None:
        raise UseCaseNotFound
    return use_case


async def update_use_case(
    session: AsyncSession, actor: Actor, use_case_id: UUID, changes: UseCaseUpdate
) -> UseCase:
    """Change the fields that were sent.

    Raises:
        UseCaseNotFound, RoleTooLow
    """
    project_id = await _authorize_use_case(session, actor, use_case_id)
    use_case = await get_use_case(session, actor, use_case_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(use_case, field, value)
    told = changed_fields(use_case)
    await session.flush()
    _record(session, actor, "use_case.updated", use_case.id, project_id, **told)
    return use_case


async def delete_use_case(
    session: AsyncSession, actor: Actor, people: People, use_case_id: UUID
) -> None:
    """Delete a use case with its prompts, datasets and runs.

    Runs that go on are canceled before, and what `people` were asked for them is withdrawn.

    Raises:
        UseCaseNotFound, RoleTooLow
        DatasetGuardsLabel: a prompt of another use case has a gate on one of its datasets.
    """
    project_id = await _authorize_use_case(session, actor, use_case_id)
    datasets = select(Dataset.id).where(Dataset.use_case_id == use_case_id)
    versions = select(PromptVersion.id).join(Prompt).where(Prompt.use_case_id == use_case_id)
    which = EvalRun.dataset_id.in_(datasets) | EvalRun.prompt_version_id.in_(versions)
    await cancel_runs(session, actor, people, which)
    statement = delete(UseCase).where(UseCase.id == use_case_id).returning(UseCase.name)
    async with keeping_gates():
        name = await session.scalar(statement)
    if name is None:
        raise UseCaseNotFound
    _record(session, actor, "use_case.deleted", use_case_id, project_id, name=name)


async def _authorize_use_case(session: AsyncSession, actor: Actor, use_case_id: UUID) -> UUID:
    project = project_of_use_case(use_case_id)
    return await authorize(session, actor, Role.editor, project, UseCaseNotFound())


async def require_use_case(session: AsyncSession, actor: Actor, use_case_id: UUID) -> None:
    """Make sure that the actor sees a use case.

    Raises:
        UseCaseNotFound
    """
    query = select(UseCase.id).where(UseCase.id == use_case_id, in_use_cases(actor, UseCase.id))
    if await session.scalar(query) is None:
        raise UseCaseNotFound


async def hold_use_case(session: AsyncSession, actor: Actor, use_case_id: UUID) -> UUID:
    """Make sure that a use case may be added to, and stays until the transaction ends.

    Returns:
        The project that it is in.

    Raises:
        UseCaseNotFound, RoleTooLow
    """
    project_id = await _authorize_use_case(session, actor, use_case_id)
    query = select(UseCase.id).where(UseCase.id == use_case_id)
    if await session.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise UseCaseNotFound
    return project_id


def _record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    subject: UUID,
    project_id: UUID,
    **details: object,
) -> None:
    record(session, actor, Change(Topic.projects, action, subject, project_id, details))
