"""Who may see and change what in this room: everything belongs to a project, which is shared.

Admins see all projects. Others see those that are shared with them, and may do there what the
share says, but never more than their own role lets them: a viewer stays a viewer everywhere.
A key that is for one project sees no other one.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from sqlalchemy import ColumnElement, Select, and_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import NotFound
from assay.identity.access import Guard, RoleTooLow
from assay.identity.actor import Actor, Role, Scope
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.projects.models import ProjectMember, UseCase
from assay.playground.prompts.models import Prompt, PromptVersion

Reader = Annotated[Actor, Depends(Guard(Role.viewer, Scope.playground_read))]
Editor = Annotated[Actor, Depends(Guard(Role.editor, Scope.playground_write))]
Leaver = Annotated[Actor, Depends(Guard(Role.viewer, Scope.playground_write))]
"""May at least take themselves out of what is shared with them."""

# What a share can give at most, by the role of the one it is with.
_CEILING = {
    Role.viewer: Role.viewer,
    Role.reviewer: Role.reviewer,
    Role.editor: Role.admin,
    Role.admin: Role.admin,
}

Column = ColumnElement[UUID] | Any


def in_projects(actor: Actor, project_id: Column) -> ColumnElement[bool]:
    """Whether the actor sees the project in this column; for the `where` of every read."""
    if actor.sees_everything:
        return true()
    conditions = []
    if actor.project_id is not None:
        conditions.append(project_id == actor.project_id)
    if actor.role is not Role.admin:
        shared = select(ProjectMember.project_id).where(ProjectMember.user_id == actor.own_id)
        conditions.append(project_id.in_(shared))
    return and_(*conditions)


def in_use_cases(actor: Actor, use_case_id: Column) -> ColumnElement[bool]:
    """Whether the actor sees the use case in this column."""
    if actor.sees_everything:
        return true()
    seen = select(UseCase.id).where(in_projects(actor, UseCase.project_id))
    return _within(use_case_id, seen)


def in_prompts(actor: Actor, prompt_id: Column) -> ColumnElement[bool]:
    """Whether the actor sees the prompt in this column."""
    if actor.sees_everything:
        return true()
    return _within(prompt_id, select(Prompt.id).where(in_use_cases(actor, Prompt.use_case_id)))


def in_datasets(actor: Actor, dataset_id: Column) -> ColumnElement[bool]:
    """Whether the actor sees the dataset in this column."""
    if actor.sees_everything:
        return true()
    return _within(dataset_id, select(Dataset.id).where(in_use_cases(actor, Dataset.use_case_id)))


def _within(column: Column, seen: Select[UUID]) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = column.in_(seen)
    return condition


def project_of_use_case(use_case_id: UUID) -> Select[UUID]:
    """Selects the project that a use case is in."""
    return select(UseCase.project_id).where(UseCase.id == use_case_id)


def project_of_prompt(prompt_id: UUID) -> Select[UUID]:
    """Selects the project that a prompt is in."""
    query = select(UseCase.project_id).join(Prompt, Prompt.use_case_id == UseCase.id)
    return query.where(Prompt.id == prompt_id)


def project_of_version(version_id: UUID) -> Select[UUID]:
    """Selects the project that a prompt version is in."""
    return (
        select(UseCase.project_id)
        .join(Prompt, Prompt.use_case_id == UseCase.id)
        .join(PromptVersion, PromptVersion.prompt_id == Prompt.id)
        .where(PromptVersion.id == version_id)
    )


def project_of_dataset(dataset_id: UUID) -> Select[UUID]:
    """Selects the project that a dataset is in."""
    query = select(UseCase.project_id).join(Dataset, Dataset.use_case_id == UseCase.id)
    return query.where(Dataset.id == dataset_id)


def project_of_item(item_id: UUID) -> Select[UUID]:
    """Selects the project that an item of a dataset is in."""
    return (
        select(UseCase.project_id)
        .join(Dataset, Dataset.use_case_id == UseCase.id)
        .join(DatasetItem, DatasetItem.dataset_id == Dataset.id)
        .where(DatasetItem.id == item_id)
    )


async def authorize(
    session: AsyncSession, actor: Actor, role: Role, project: Select[UUID], missing: NotFound
) -> UUID:
    """The project of a thing, in which the actor has at least this role; for every write.

    Args:
        session: the session.
        actor: who wants to do it.
        role: what it takes.
        project: selects the project that the thing is in.
        missing: raised where there is no such thing, as far as the actor can see.

    Raises:
        RoleTooLow: the actor sees it, but may not do this.
    """
    place = project.subquery()
    [project_id] = place.c
    query = select(project_id, ProjectMember.role).outerjoin(
        ProjectMember,
        and_(ProjectMember.project_id == project_id, ProjectMember.user_id == actor.own_id),
    )
    found = (await session.execute(query)).one_or_none()
    if found is None or actor.project_id not in (None, found[0]):
        raise missing
    held = Role.admin if actor.role is Role.admin else found[1]
    if held is None:
        raise missing
    if not (held.covers(role) and _CEILING[actor.role].covers(role)):
        raise RoleTooLow(f"This takes the role {role} in the project.")
    return UUID(str(found[0]))
