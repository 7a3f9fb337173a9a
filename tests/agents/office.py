"""What somebody does with agents and tasks over HTTP, where no worker takes tasks up."""

from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import select
from tests.identity.people import Installation, Person

from assay.core.database import Database
from assay.identity.actor import Role
from assay.identity.audit.models import AuditEntry

V1 = "/api/v1"
REPOSITORY = "https://github.com/example/shop.git"
MODEL = "builtin/echo"


@dataclass(frozen=True, slots=True)
class Clerk:
    """Somebody at work; each method insists on what it expects."""

    client: httpx2.AsyncClient
    person: Person

    async def ask(self, method: str, path: str, status: int, **sent: Any) -> Any:
        """The JSON of an answer that has to have this status."""
        response = await self.client.request(method, f"{V1}{path}", **sent)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        return response.json() if response.content else None

    async def faults(self, method: str, path: str, body: Any, status: int = 422) -> dict[str, str]:
        """What is wrong with a body, by the place."""
        problem = await self.ask(method, path, status, json=body)
        return {fault["place"]: fault["message"] for fault in problem["errors"]}

    async def agent(self, **fields: Any) -> dict[str, Any]:
        """A new agent that could work."""
        new = {"name": "Ada", "role": "developer", "model": MODEL, **fields}
        return dict(await self.ask("POST", "/agents", 201, json=new))

    async def task(self, **fields: Any) -> dict[str, Any]:
        """A new task that nobody has begun."""
        new = {"title": "Mend it", "repo_url": REPOSITORY, **fields}
        return dict(await self.ask("POST", "/tasks", 201, json=new))

    async def start(self, agent: dict[str, Any], status: int = 202, **fields: Any) -> Any:
        """Let an agent begin a task: by its `task_id`, or a new one."""
        new = fields if "task_id" in fields else {"title": "New", "repo_url": REPOSITORY, **fields}
        return await self.ask("POST", f"/agents/{agent['id']}/start-task", status, json=new)

    async def ids(self, path: str, **query: Any) -> list[str]:
        """The ids in a list."""
        return [each["id"] for each in await self.ask("GET", path, 200, params=query)]

    async def pages(self, path: str, limit: int, **query: Any) -> list[list[str]]:
        """The ids of all pages of a list."""
        pages = []
        url: str | None = str(httpx2.URL(f"{V1}{path}", params={"limit": limit, **query}))
        while url:
            response = await self.client.get(url)
            assert response.status_code == 200, response.text
            pages.append([each["id"] for each in response.json()])
            url = response.links.get("next", {}).get("url")
        return pages


@dataclass(frozen=True, slots=True)
class Office:
    """A server with an admin, and whoever else comes."""

    installation: Installation
    admin: Clerk

    @property
    def database(self) -> Database:
        return self.installation.database

    async def clerk(self, role: Role = Role.editor) -> Clerk:
        """Somebody new."""
        person = await self.installation.person(role)
        return Clerk(person.client, person)

    async def project(self, **shared: Clerk) -> str:
        """A project of the admin, shared as the names of the arguments say."""
        made = await self.admin.ask("POST", "/projects", 201, json={"name": "Shop"})
        for role, clerk in shared.items():
            person = clerk.person
            await self.installation.share(self.admin.person, made["id"], person, Role(role))
        return str(made["id"])

    async def trail(self, subject: str) -> list[tuple[str, str]]:
        """Who did what to a thing, by the audit."""
        query = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id)
        async with self.database.reading() as session:
            return [(entry.user_id, entry.action) for entry in await session.scalars(query)]
