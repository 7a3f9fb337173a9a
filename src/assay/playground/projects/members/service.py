"""Rules and queries of the members of a project."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, record
from assay.identity.users.models import User
from assay.identity.users.service import find_user
from assay.playground.projects.members.schemas import MemberPut, MemberRead
from assay.playground.projects.models import ProjectMember
from assay.playground.projects.service import authorize_project, hold_project


class MemberNotFound(NotFound):
    """The project is not shared with this user."""


def _members(project_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(
            ProjectMember.user_id,
            User.email,
            User.name,
            ProjectMember.role,
            ProjectMember.created_at,
            ProjectMember.updated_at,
        )
        .join(User, User.id == ProjectMember.user_id)
        .where(ProjectMember.project_id == project_id)
    )


def _read(row: Sequence[Any]) -> MemberRead:
    return MemberRead(**dict(zip(MemberRead.model_fields, row, strict=True)))


async def list_members(
    session: AsyncSession, actor: Actor, project_id: UUID, page: Page
) -> list[MemberRead]:
    """A page of whom a project is shared with.

    Raises:
        ProjectNotFound
    """
    await authorize_project(session, actor, Role.viewer, project_id)
    rows = await page.fetch(session, _members(project_id), User.id, descending=False)
    return [_read(row) for row in rows]


async def put_member(
    session: AsyncSession, actor: Actor, project_id: UUID, new: MemberPut
) -> MemberRead:
    """Share a project with somebody, or change what they may do in it.

    Raises:
        ProjectNotFound
        RoleTooLow: it takes an admin of the project.
        UserNotFound: nobody has this e-mail address.
    """
    await hold_project(session, actor, project_id, Role.admin)
    user = await find_user(session, new.email)
    row = insert(ProjectMember).values(
        project_id=project_id, user_id=user.id, role=new.role, added_by=actor.user_id
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[ProjectMember.project_id, ProjectMember.user_id],
            set_={"role": row.excluded.role, "updated_at": func.clock_timestamp()},
        )
    )
    _record(session, actor, "project.shared", project_id, user, role=new.role)
    found = await session.execute(_members(project_id).where(ProjectMember.user_id == user.id))
    return _read(found.one())


async def delete_member(
    session: AsyncSession, actor: Actor, project_id: UUID, user_id: UUID
) -> None:
    """Share a project with somebody no more; everybody may leave by themselves.

    Raises:
        ProjectNotFound, MemberNotFound
        RoleTooLow: it takes an admin of the project.
    """
    role = Role.viewer if user_id == actor.own_id else Role.admin
    await authorize_project(session, actor, role, project_id)
    statement = delete(ProjectMember).where(
        ProjectMember.project_id == project_id, ProjectMember.user_id == user_id
    )
    if await session.scalar(statement.returning(ProjectMember.user_id)) is None:
        raise MemberNotFound
    user = await session.get_one(User, user_id)
    _record(session, actor, "project.unshared", project_id, user)


async def shared_projects(session: AsyncSession, user_id: UUID) -> Mapping[UUID, Role]:
    """The projects that are shared with a user, and as what."""
    query = select(ProjectMember.project_id, ProjectMember.role)
    rows = await session.execute(query.where(ProjectMember.user_id == user_id))
    return dict(rows.all())


def _record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    project_id: UUID,
    user: User,
    **details: object,
) -> None:
    details = {"user_id": str(user.id), "email": user.email, **details}
    record(session, actor, Change(Topic.projects, action, project_id, project_id, details))
