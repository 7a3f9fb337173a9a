"""A server that is listened to, a program with a key of its own, and somebody who answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.consults.asking import Asker, Row
from tests.events.served import Server, opened

from assay.client import AsyncClient
from assay.core.config import Settings
from assay.identity.actor import Role, Scope


@pytest.fixture(scope="session")
async def server(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Server]:
    """A server where people sign in, with a worker, which keeps the time of deadlines."""
    changes = {"database_url": await new_database_dsn(), "api_port": 0, "server_workers": 1}
    async with opened(settings.model_copy(update=changes)) as server:
        yield server


@pytest.fixture
async def asks(server: Server, monkeypatch: pytest.MonkeyPatch) -> Asker:
    """Whom the program acts for: ASSAY_URL and ASSAY_API_KEY are set."""
    owner = await server.installation.person(Role.viewer)
    key = await server.installation.key(owner, Scope.consults_write)
    monkeypatch.setenv("ASSAY_URL", server.url)
    monkeypatch.setenv("ASSAY_API_KEY", key)
    return Asker(owner)


@pytest.fixture
async def client(asks: Asker) -> AsyncIterator[AsyncClient]:
    """The client of the program."""
    async with AsyncClient() as client:
        yield client


class Reviewer(Asker):
    """Somebody who answers what the program of a test asks."""

    def __init__(self, person: Any, program: Asker) -> None:
        super().__init__(person)
        self._program = program

    async def sees(self, count: int = 1) -> list[Row]:
        """The pending requests of the program, the first first, once there are so many."""
        async with asyncio.timeout(20):
            while True:
                ids = await self._program.listed(status="pending")
                if len(ids) >= count:
                    return [await self.read({"id": each}) for each in reversed(ids)]
                await asyncio.sleep(0.02)

    async def answers(self, value: Any, comment: str | None = None) -> Row:
        """Answer the only request of the program, as soon as there is one."""
        [request] = await self.sees()
        await self.answer(request, value, comment=comment)
        return request


@pytest.fixture
async def reviewer(server: Server, asks: Asker) -> Reviewer:
    """Somebody who answers."""
    return Reviewer(await server.installation.person(Role.reviewer), asks)
