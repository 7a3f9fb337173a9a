"""An installation where people sign in: its server, its people, and what they ask with."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr
from sqlalchemy import text

from assay.app import create_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.ids import new_id
from assay.identity.actor import LOCAL_ACTOR, Role, Scope
from assay.identity.sessions.models import UserSession
from assay.identity.tokens import REFRESH_LIFETIME, AccessClaims, AccessTokens
from assay.identity.users import service as users
from assay.identity.users.models import User
from assay.identity.users.schemas import UserCreate

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


@cache
def _password_hash() -> str:
    return PasswordHash((Argon2Hasher(),)).hash(PASSWORD)


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in; `client` sends their access token as bearer."""

    id: UUID
    email: str
    role: Role
    client: httpx2.AsyncClient


class Installation:
    """One server on a database of its own."""

    def __init__(self, app: FastAPI, stack: AsyncExitStack) -> None:
        self.app = app
        self.database: Database = app.state.database
        self._stack = stack

    async def client(
        self, *, address: str = "127.0.0.1", base_url: str = "http://localhost", **headers: str
    ) -> httpx2.AsyncClient:
        """A client with these headers and its own cookies, which is not signed in."""
        transport = httpx2.ASGITransport(
            app=self.app, raise_app_exceptions=False, client=(address, 50000)
        )
        client = httpx2.AsyncClient(transport=transport, base_url=base_url, headers=headers)
        return await self._stack.enter_async_context(client)

    async def user(self, role: Role, *, email: str | None = None) -> tuple[UUID, str]:
        """Make a user straight in the database; gives the id and the e-mail address."""
        email = email or f"{role}{next(_numbers)}@example.com"
        new = UserCreate(email=email, name=role.title(), role=role, password=SecretStr(PASSWORD))
        async with self.database.session() as session:
            user = await users.create_user(session, LOCAL_ACTOR, new)
        return user.id, email

    async def row(self, role: Role, **fields: Any) -> User:
        """A row of a user, without what making one takes: the time of a hash, and an event."""
        number = next(_numbers)
        given = {"email": f"{role}{number}@example.com", "name": f"{role.title()} {number}"}
        user = User(**given | {"role": role, "password_hash": _password_hash()} | fields)
        async with self.database.session() as session:
            session.add(user)
        return user

    async def log_in(self, email: str, password: str = PASSWORD) -> httpx2.AsyncClient:
        """A client that is signed in by cookies."""
        client = await self.client()
        body = {"email": email, "password": password}
        response = await client.post("/api/v1/auth/login", json=body)
        assert response.status_code == 200, response.text
        return client

    async def person(self, role: Role) -> Person:
        """Somebody new who is signed in; nothing is hashed or verified for it."""
        user = await self.row(role)
        token = await self.access_token(user.id)
        client = await self.client(Authorization=f"Bearer {token}")
        return Person(user.id, user.email, role, client)

    async def access_token(self, user_id: UUID) -> str:
        """The access token of a new sign-in of this user."""
        expires_at = datetime.now(UTC) + REFRESH_LIFETIME
        signed_in = UserSession(id=new_id(), user_id=user_id, expires_at=expires_at)
        async with self.database.session() as session:
            session.add(signed_in)
        tokens: AccessTokens = self.app.state.authenticator.access_tokens
        return tokens.sign(AccessClaims(user_id, signed_in.id))

    async def key(self, owner: Person, *scopes: Scope, **fields: Any) -> str:
        """A new API key of `owner`."""
        body = {"name": "Test", "scopes": scopes, **fields}
        response = await owner.client.post("/api/v1/keys", json=body)
        assert response.status_code == 201, response.text
        key: str = response.json()["key"]
        return key

    async def with_key(self, owner: Person, *scopes: Scope, **fields: Any) -> httpx2.AsyncClient:
        """A client that sends a new API key of `owner`."""
        key = await self.key(owner, *scopes, **fields)
        return await self.client(Authorization=f"Bearer {key}")

    async def stored(self) -> str:
        """All rows of all tables as text; bytes are hexadecimal in it."""
        names = text(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname !~ :own"
        )
        rows: list[str] = []
        async with self.database.session() as session:
            for table in await session.scalars(names, {"own": "^(pg_|information_schema)"}):
                rows += await session.scalars(text(f"SELECT t::text FROM {table} t"))
        return "\n".join(rows)

    async def share(self, admin: Person, project_id: str, person: Person, role: Role) -> None:
        """Share a project with somebody."""
        body = {"email": person.email, "role": role}
        response = await admin.client.put(f"/api/v1/projects/{project_id}/members", json=body)
        assert response.status_code == 200, response.text


async def soon(ask: Callable[[], Awaitable[httpx2.Response]], status: int) -> httpx2.Response:
    """Ask until the answer has this status; servers are told of changes within moments."""
    async with asyncio.timeout(5):
        while (response := await ask()).status_code != status:
            await asyncio.sleep(0.01)
    return response


@asynccontextmanager
async def installed(settings: Settings, **changes: Any) -> AsyncIterator[Installation]:
    """An installation with these settings."""
    app = create_app(settings.model_copy(update=changes))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield Installation(app, stack)
