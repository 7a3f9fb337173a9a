"""What a front end does with agents and tasks, over HTTP, and what it sees of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from tests.identity.people import installed

from assay.core.config import Settings
from assay.core.database import Database
from assay.testing.script import Call, Turn

V1 = "/api/v1"
MODEL = "scripted/coder"
ENDED = ("completed", "failed", "cancelled")
SECONDS = 120.0


def call(tool: str, call_id: str | None = None, **arguments: Any) -> Turn:
    """A turn that calls one tool."""
    return Turn(calls=[Call(tool, arguments, call_id)])


def finish(summary: str = "Done as asked.", tested: str = "Ran it.") -> Turn:
    """The last turn."""
    return call("finish", summary=summary, tested=tested)


@dataclass(frozen=True, slots=True)
class Board:
    """Somebody's view of a server; each method asks it and takes nothing but success."""

    client: httpx2.AsyncClient
    database: Database
    settings: Settings

    async def ask(self, method: str, path: str, status: int, **sent: Any) -> Any:
        """The JSON of an answer with this status."""
        response = await self.client.request(method, f"{V1}{path}", **sent)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def agent(self, **fields: Any) -> dict[str, Any]:
        """A new agent with the scripted model."""
        new = {"name": "Ada", "role": "developer", "model": MODEL, **fields}
        return dict(await self.ask("POST", "/agents", 201, json=new))

    async def start(
        self, url: str, title: str = "Say goodbye", agent_id: str | None = None, **fields: Any
    ) -> str:
        """Start a new task about a repository; gives its id."""
        agent_id = agent_id or (await self.agent())["id"]
        new = {"title": title, "repo_url": url, **fields}
        task = await self.ask("POST", f"/agents/{agent_id}/start-task", 202, json=new)
        return str(task["id"])

    async def task(self, task_id: str) -> dict[str, Any]:
        """A task as it is now."""
        return dict(await self.ask("GET", f"/tasks/{task_id}", 200))

    async def until(self, task_id: str, *statuses: str, seconds: float = SECONDS) -> dict[str, Any]:
        """The task once it has one of these statuses, or has ended."""
        async with asyncio.timeout(seconds):
            while True:
                task = await self.task(task_id)
                if task["status"] in (statuses or ENDED):
                    return task
                assert task["status"] not in ENDED, task["error"]
                await asyncio.sleep(0.05)

    async def events(self, task_id: str, after: int = 0, **query: Any) -> list[dict[str, Any]]:
        """The events of a task from a sequence on, until it has ended."""
        headers = {"Last-Event-ID": str(after)}
        path = f"{V1}/tasks/{task_id}/events"
        response = await self.client.get(path, headers=headers, params=query, timeout=SECONDS)
        assert response.status_code == 200, response.text
        return told(response.text)

    async def operations(self, task_id: str) -> Sequence[Mapping[str, Any]]:
        """What was done with git for a task, the first first."""
        return list(await self.ask("GET", f"/tasks/{task_id}/git-operations", 200))

    async def sandboxes(self) -> Sequence[Mapping[str, Any]]:
        """All sandboxes."""
        return list(await self.ask("GET", "/sandboxes", 200))


def told(stream: str) -> list[dict[str, Any]]:
    """The events in what a stream said, each with its `id`."""
    found = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "id" in fields:
            found.append({"id": int(fields["id"]), **json.loads(fields["data"])})
    return found


@asynccontextmanager
async def opened(
    settings: Settings, database: Database, home: Path, **changes: Any
) -> AsyncIterator[Board]:
    """A server with a worker in it on this database, used by its owner."""
    given = {"assay_home": home / "assay", "server_workers": 1, **changes}
    async with installed(settings, database_url=database.dsn, **given) as installation:
        client = await installation.client()
        yield Board(client, database, installation.app.state.settings)
