"""Who sees a request, and who may answer it.

A request is seen by whoever asked it, by admins, and by reviewers: those it is assigned to, or
all of them where it is assigned to nobody. What belongs to a project is seen only by those who
see the project, and answered only by those who are reviewers there.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, and_, false, or_, true
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.access import Asker, Reader, Reviewer
from assay.consults.requests.models import ConsultationRequest
from assay.core.database import Database
from assay.identity.actor import Actor, Role

ProjectsOf = Callable[[AsyncSession, Actor], Awaitable[Mapping[UUID, Role] | None]]
"""Gives the projects that an actor sees, and what they may do there; `None` for all of them and
everything. Bound in `wiring.py`."""


@dataclass(frozen=True, slots=True)
class Sight:
    """An actor, and what they see.

    Attributes:
        actor: who it is.
        projects: the projects that they see, with their role there; `None` for all.
        projects_of: tells the same of others.
    """

    actor: Actor
    projects: Mapping[UUID, Role] | None
    projects_of: ProjectsOf

    def sees_project(self, project_id: UUID) -> bool:
        """Whether they see a project."""
        return self.projects is None or project_id in self.projects

    def reviews_in(self, project_id: UUID | None) -> bool:
        """Whether they may answer what belongs to a project, or to none."""
        if not self.actor.role.covers(Role.reviewer):
            return False
        if self.projects is None or project_id is None:
            return True
        role = self.projects.get(project_id)
        return role is not None and role.covers(Role.reviewer)


def visible(sight: Sight) -> ColumnElement[bool]:
    """Whether a request is seen; for the `where` of every query."""
    seen = _in(sight, sight.projects)
    actor = sight.actor
    if actor.role is Role.admin:
        return seen
    mine = ConsultationRequest.requested_by == actor.user_id
    return and_(seen, or_(mine, for_reviewer(sight)))


def _in(sight: Sight, projects: Iterable[UUID] | None) -> ColumnElement[bool]:
    """Whether a request belongs to one of these projects, or to none."""
    if projects is None:
        return true()
    inside = ConsultationRequest.project_id.in_(projects)
    if sight.actor.project_id is not None:
        # A key that is for one project is for nothing else.
        return inside
    return or_(ConsultationRequest.project_id.is_(None), inside)


def for_reviewer(sight: Sight) -> ColumnElement[bool]:
    """Whether the actor is one of those who may answer a request."""
    actor, row = sight.actor, ConsultationRequest
    if not actor.role.covers(Role.reviewer):
        return false()
    projects = sight.projects
    reviewed = None if projects is None else [each for each in projects if sight.reviews_in(each)]
    covered = [role for role in Role if actor.role.covers(role)]
    assigned = or_(
        and_(row.assignee_ids == [], row.assignee_role.is_(None)),
        row.assignee_ids.contains([actor.user_id]),
        row.assignee_role.in_(covered),
    )
    return and_(_in(sight, reviewed), assigned)


def may_answer(request: ConsultationRequest, sight: Sight) -> bool:
    """As `for_reviewer`, of a request at hand."""
    actor = sight.actor
    if not sight.reviews_in(request.project_id):
        return False
    if not request.assignee_ids and request.assignee_role is None:
        return True
    by_role = request.assignee_role is not None and actor.role.covers(request.assignee_role)
    return by_role or actor.user_id in request.assignee_ids


async def see(request: Request, actor: Actor) -> Sight:
    """What an actor of a request over HTTP sees."""
    projects_of = cast("ProjectsOf", request.app.state.projects_of)
    database = cast("Database", request.app.state.database)
    async with database.reading() as session:
        return Sight(actor, await projects_of(session, actor), projects_of)


async def _reader(request: Request, actor: Reader) -> Sight:
    return await see(request, actor)


async def _asker(request: Request, actor: Asker) -> Sight:
    return await see(request, actor)


async def _reviewer(request: Request, actor: Reviewer) -> Sight:
    return await see(request, actor)


ReadingSight = Annotated[Sight, Depends(_reader)]
AskingSight = Annotated[Sight, Depends(_asker)]
ReviewingSight = Annotated[Sight, Depends(_reviewer)]
