"""Servers that are really listened to, on databases of their own."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.events.house import House, made
from tests.events.served import Server, opened
from tests.identity.people import Person

from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role


@pytest.fixture
async def own_settings(settings: Settings, own_database: Database, tmp_path: Path) -> Settings:
    """Settings of a server on a fresh database and any free port."""
    changes = {"database_url": own_database.dsn, "assay_home": tmp_path, "api_port": 0}
    return settings.model_copy(update=changes)


@pytest.fixture
async def server(own_settings: Settings) -> AsyncIterator[Server]:
    """A server; nobody signs in as long as there are no users."""
    async with opened(own_settings) as server:
        yield server


@pytest.fixture
def quick_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """With each beat, at the latest, a stream looks at what its reader may see."""
    monkeypatch.setattr("assay.events.stream.HEARTBEAT_SECONDS", 0.05)


@pytest.fixture(scope="module")
async def guarded(
    settings: Settings, new_database_dsn: Callable[[], Any]
) -> AsyncIterator[tuple[Server, Person]]:
    """A server with an admin."""
    changes = {"database_url": await new_database_dsn(), "api_port": 0}
    async with opened(settings.model_copy(update=changes)) as server:
        yield server, await server.installation.person(Role.admin)


@pytest.fixture
async def house(guarded: tuple[Server, Person]) -> House:
    server, admin = guarded
    viewer = await server.installation.person(Role.viewer)
    shared, closed = [await made(admin.client, "/projects", name="P") for _ in range(2)]
    await server.installation.share(admin, shared, viewer, Role.viewer)
    return House(server, admin, viewer, shared, closed)
