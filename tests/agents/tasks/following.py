"""A reader of the events of one task over a real connection, and events to read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
import orjson
from tests.agents.office import Clerk
from tests.events.reading import SECONDS, bearer

from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.events.service import write_events
from assay.core.database import Database


class Follower:
    """What came on the stream of one task so far."""

    def __init__(self, response: httpx2.Response) -> None:
        self.events: list[dict[str, Any]] = []
        self.ended = False
        self._changed = asyncio.Event()
        self.task = asyncio.create_task(self._read(response))

    @property
    def sequences(self) -> list[int]:
        return [event["sequence"] for event in self.events]

    async def _read(self, response: httpx2.Response) -> None:
        last = 0
        try:
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    last = int(value)
                elif name == "event":
                    assert value == "end"
                    self.ended = True
                elif name == "data" and not self.ended:
                    event = orjson.loads(value)
                    assert event["sequence"] == last, "each event comes with its id"
                    self.events.append(event)
                    self._changed.set()
        finally:
            self._changed.set()

    async def until(self, sequence: int) -> None:
        """Read until this event is there, or one behind it."""
        async with asyncio.timeout(SECONDS):
            while not self.events or self.events[-1]["sequence"] < sequence:
                assert not self.task.done(), f"the stream ended after {self.sequences}"
                self._changed.clear()
                await self._changed.wait()

    async def until_over(self) -> None:
        """Read until the server ends the stream."""
        await asyncio.wait_for(asyncio.shield(self.task), SECONDS)


@asynccontextmanager
async def follow(
    url: str, clerk: Clerk, task_id: str, after: int = 0, **query: Any
) -> AsyncIterator[Follower]:
    """Follow a task with a connection of its own, which is closed in the end."""
    headers = {**bearer(clerk.client), "Last-Event-ID": str(after)}
    path = f"/api/v1/tasks/{task_id}/events"
    async with (
        httpx2.AsyncClient(base_url=url, timeout=SECONDS) as client,
        client.stream("GET", path, params=query, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        follower = Follower(response)
        try:
            yield follower
        finally:
            follower.task.cancel()
            await asyncio.wait([follower.task])


async def write(database: Database, task_id: str, number: int, *, pad: str = "") -> int:
    """Write so many events of a task; gives the last sequence."""
    told = [
        (TaskEventKind.output, {"call_id": "1", "text": f"{each}{pad}"}) for each in range(number)
    ]
    async with database.session() as session:
        return await write_events(session, UUID(task_id), *told)
