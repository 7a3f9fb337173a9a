"""A database with people, keys and projects in it, for servers that a benchmark starts."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay import migrations
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.secrets import load_secret_key
from assay.identity.actor import LOCAL_ACTOR, Role, Scope
from assay.identity.authentication import Authenticator
from assay.identity.keys.schemas import KeyCreate
from assay.identity.keys.service import create_key
from assay.identity.users.models import User
from assay.playground.projects.models import ProjectMember
from assay.playground.projects.schemas import ProjectCreate
from assay.playground.projects.service import create_project
from processes import embedded_database, temporary_home

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Installation:
    """A migrated database, and the environment of the servers on it."""

    dsn: str
    env: dict[str, str]

    def do(self, work: Callable[[Database], Awaitable[_T]]) -> _T:
        """What `work` gives, done in an event loop of its own."""

        async def with_database() -> _T:
            database = Database(self.dsn)
            try:
                return await work(database)
            finally:
                await database.dispose()

        return asyncio.run(with_database())

    def authenticator(self, database: Database) -> Authenticator:
        """What knows the secret that keys are hashed with."""
        home = Path(self.env["ASSAY_HOME"])
        settings = Settings.load(assay_home=home, database_url=self.dsn)
        return Authenticator(database, load_secret_key(settings), None)


@contextmanager
def installation() -> Iterator[Installation]:
    """An installation without people, that is gone at the end."""
    with temporary_home() as home, embedded_database(home) as dsn:
        env = {
            "ASSAY_HOME": home,
            "DATABASE_URL": dsn,
            "LOG_LEVEL": "WARNING",
            # The limit counts as ever, and stops nobody.
            "REQUESTS_PER_MINUTE": "100000000",
        }
        made = Installation(dsn, env)
        made.do(migrations.upgrade)
        yield made


async def make_projects(session: AsyncSession, number: int) -> list[UUID]:
    """New projects, which only admins see so far."""
    names = [f"Project {count}" for count in range(number)]
    made = [
        await create_project(session, LOCAL_ACTOR, ProjectCreate(name=name, description=name))
        for name in names
    ]
    return [project.id for project in made]


async def make_person(
    session: AsyncSession, role: Role, projects: Collection[UUID], name: str, pepper: bytes
) -> str:
    """Somebody new, who sees these projects or, as an admin, all; gives an API key of theirs.

    They have no password, which takes long to hash, and sign in with the key alone.
    """
    user = User(email=f"{name}@example.com", name=name, role=role, is_active=True)
    session.add(user)
    await session.flush()
    session.add_all(
        ProjectMember(project_id=project, user_id=user.id, role=role, added_by="benchmark")
        for project in projects
    )
    scopes = [Scope.playground_read, *([Scope.admin] if role is Role.admin else [])]
    new = KeyCreate(name="Benchmark", scopes=scopes)
    _, key = await create_key(session, LOCAL_ACTOR, new, pepper, owner_id=user.id)
    return key
