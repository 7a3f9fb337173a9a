"""An installation where people sign in: its server, its people, and what they ask with."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from pydantic import SecretStr

from assay.app import create_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import LOCAL_ACTOR, Role, Scope
from assay.identity.users import service as users
from assay.identity.users.schemas import UserCreate

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


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

    async def client(self, **headers: str) -> httpx2.AsyncClient:
        """A client with these headers and its own cookies, which is not signed in."""
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        client = httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", headers=headers
        )
        return await self._stack.enter_async_context(client)

    async def user(self, role: Role, **fields: Any) -> tuple[UUID, str]:
        """Make a user straight in the database; gives the id and the e-mail address."""
        email = fields.pop("email", f"{role}{next(_numbers)}@example.com")
        new = UserCreate(email=email, name=role.title(), role=role, password=SecretStr(PASSWORD))
        async with self.database.session() as session:
            user = await users.create_user(session, LOCAL_ACTOR, new)
        return user.id, email

    async def log_in(self, email: str, password: str = PASSWORD) -> httpx2.AsyncClient:
        """A client that is signed in by cookies."""
        client = await self.client()
        body = {"email": email, "password": password}
        response = await client.post("/api/v1/auth/login", json=body)
        assert response.status_code == 200, response.text
        return client

    async def person(self, role: Role) -> Person:
        """Somebody new who is signed in."""
        user_id, email = await self.user(role)
        token = (await self.log_in(email)).cookies["assay_access"]
        client = await self.client(Authorization=f"Bearer {token}")
        return Person(user_id, email, role, client)

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

    async def share(self, admin: Person, project_id: str, person: Person, role: Role) -> None:
        """Share a project with somebody."""
        body = {"email": person.email, "role": role}
        response = await admin.client.put(f"/api/v1/projects/{project_id}/members", json=body)
        assert response.status_code == 200, response.text


@asynccontextmanager
async def installed(settings: Settings, **changes: Any) -> AsyncIterator[Installation]:
    """An installation with these settings."""
    app = create_app(settings.model_copy(update=changes))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield Installation(app, stack)
