"""A reader of the feed over a real connection, and events to read."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
import orjson

from assay.core.database import Database
from assay.events.models import Topic
from assay.events.service import publish

SECONDS = 20.0
"""What should come comes long before."""


class EventReader:
    """What came on one stream so far."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.events: list[dict[str, Any]] = []
        self.comments = 0
        self.fields: list[tuple[str, str]] = []
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    @property
    def last_id(self) -> str:
        """What a browser would send when it comes back."""
        return [value for name, value in self.fields if name == "id"][-1]

    @property
    def numbers(self) -> list[int]:
        """Of the events that `tell` wrote."""
        return [event["data"]["number"] for event in self.events if event["type"] == "test.told"]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def _read(self) -> None:
        try:
            async for line in self.response.aiter_lines():
                self._take(line)
        finally:
            self._changed.set()

    def _take(self, line: str) -> None:
        name, _, value = line.partition(": ")
        if line.startswith(":"):
            self.comments += 1
        elif name == "data":
            event = orjson.loads(value)
            assert event["id"] == self.last_id, "each event comes with its id"
            self.events.append(event)
        elif line:
            self.fields.append((name, value))
        self._changed.set()

    async def until(self, *, events: int = 0, comments: int = 0, last: str = "") -> None:
        """Read until so many events or comments are there, or one of this type is the last."""
        async with asyncio.timeout(SECONDS):
            while (
                len(self.events) < events
                or self.comments < comments
                or (last and last not in self.types)
            ):
                assert not self._task.done(), f"the stream ended after {self.events}"
                self._changed.clear()
                await self._changed.wait()

    async def ended(self) -> None:
        """Read until the server ends the stream."""
        async with asyncio.timeout(SECONDS):
            await asyncio.wait([self._task])
        self._task.result()

    async def cut_off(self) -> bool:
        """Whether the connection, rather than the stream, was ended."""
        async with asyncio.timeout(SECONDS):
            await asyncio.wait([self._task])
        return isinstance(self._task.exception(), httpx2.TransportError)

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


@asynccontextmanager
async def following(
    url: str, headers: Mapping[str, str] | None = None, **query: Any
) -> AsyncIterator[EventReader]:
    """Follow the feed of the server at `url`, from the moment that the context is entered."""
    async with (
        httpx2.AsyncClient(base_url=url, timeout=SECONDS) as client,
        client.stream("GET", "/api/v1/sse", params=query, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        reader = EventReader(response)
        try:
            # What happens from here on is told; without the opening that is not sure.
            async with asyncio.timeout(SECONDS):
                while not reader.fields:
                    await asyncio.sleep(0.005)
            yield reader
        finally:
            await reader.leave()


def bearer(client: httpx2.AsyncClient) -> dict[str, str]:
    """The headers that a client signs in with."""
    return {"Authorization": client.headers["Authorization"]}


async def tell(
    database: Database,
    *numbers: int,
    topic: Topic = Topic.runs,
    project_id: UUID | str | None = None,
    subject: UUID | str | None = None,
    user_id: str | None = None,
    **data: object,
) -> None:
    """Write these events, in one transaction."""
    async with database.session() as session:
        for number in numbers:
            publish(
                session,
                topic,
                "test.told",
                {"number": number, **data},
                subject=subject,
                project_id=UUID(str(project_id)) if project_id else None,
                user_id=user_id,
            )


async def positions(database: Database) -> Sequence[int]:
    """The positions of all events, in the order in which they were inserted."""
    connection = await database.connect()
    rows = await connection.fetch("SELECT position FROM events.events ORDER BY id")
    await connection.close()
    return [row["position"] for row in rows]
