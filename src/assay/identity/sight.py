"""Which projects somebody sees, for rooms whose things may belong to one."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from fastapi import Request
from sqlalchemy import ColumnElement, or_, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from assay.core.database import Database
from assay.core.errors import Invalid
from assay.identity.actor import Actor, Role
from assay.identity.authentication import Authenticator

LOOK_AGAIN_SECONDS = 30.0
"""What somebody sees who goes on looking is looked at again after this, whatever happens."""

ProjectsOf = Callable[[AsyncSession, Actor], Awaitable[Mapping[UUID, Role] | None]]
"""Gives the projects that an actor sees, and what they may do there; `None` for all of them and
everything. Bound in `wiring.py`."""


class ProjectNotSeen(Invalid):
    """There is no project with this id that you see."""

    code = "project_not_seen"


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

    def covers(self, role: Role, project_id: UUID | None) -> bool:
        """Whether they may act as `role` on what belongs to a project, or to none."""
        if not self.actor.role.covers(role):
            return False
        if self.projects is None or project_id is None:
            return True
        there = self.projects.get(project_id)
        return there is not None and there.covers(role)

    def inside(
        self, project_id: InstrumentedAttribute[UUID | None], *, as_role: Role = Role.viewer
    ) -> ColumnElement[bool]:
        """Whether the project in this column, if there is one, is one where they are `as_role`."""
        if self.projects is None:
            return true()
        projects = [each for each, role in self.projects.items() if role.covers(as_role)]
        seen = project_id.in_(projects)
        # A key that is for one project is for nothing else.
        return seen if self.actor.project_id is not None else or_(project_id.is_(None), seen)


class LastingSight:
    """What an actor sees who goes on looking, such as at a stream: it may change meanwhile."""

    def __init__(self, request: Request, actor: Actor) -> None:
        """Begin with a request of theirs."""
        self._actor = actor
        self._authenticator = cast("Authenticator", request.app.state.authenticator)
        self._projects_of = cast("ProjectsOf", request.app.state.projects_of)
        self._database = cast("Database", request.app.state.database)
        self._version = self._authenticator.version
        self._looked_at = time.monotonic()

    @property
    def stale(self) -> bool:
        """Whether it may have changed since `now` was asked last."""
        # Nothing is notified when a key or a sign-in expires.
        old = time.monotonic() - self._looked_at > LOOK_AGAIN_SECONDS
        return old or self._version != self._authenticator.version

    async def now(self) -> Sight | None:
        """What they see now; `None` where what they came with is not valid any more."""
        version = self._authenticator.version
        actor = await self._authenticator.again(self._actor)
        if actor is None:
            return None
        # One connection after the other: many who look again together would wait for each other.
        async with self._database.reading() as session:
            projects = await self._projects_of(session, actor)
        self._version, self._looked_at = version, time.monotonic()
        return Sight(actor, projects, self._projects_of)


async def see(request: Request, actor: Actor) -> Sight:
    """What an actor of a request over HTTP sees."""
    projects_of = cast("ProjectsOf", request.app.state.projects_of)
    database = cast("Database", request.app.state.database)
    async with database.reading() as session:
        return Sight(actor, await projects_of(session, actor), projects_of)
