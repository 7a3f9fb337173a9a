"""A server that is listened to, and both clients of it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.client.both import in_threads
from tests.events.served import Server, opened

from assay.client import AsyncClient, Client
from assay.core.config import Settings
from assay.identity.actor import Role, Scope

Connect = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASSAY_URL", "ASSAY_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
async def served(settings: Settings) -> AsyncIterator[Server]:
    """A server on the database of this test worker, where nobody signs in."""
    async with opened(settings.model_copy(update={"api_port": 0})) as server:
        yield server


@pytest.fixture(scope="session")
async def guarded(settings: Settings, new_database_dsn: Callable[[], Any]) -> AsyncIterator[Server]:
    """A server with users, on a database of its own."""
    changes = {"database_url": await new_database_dsn(), "api_port": 0}
    async with opened(settings.model_copy(update=changes)) as server:
        await server.installation.person(Role.admin)
        yield server


@pytest.fixture(params=["async", "threads"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Makes a client of a server; in one round for event loops, in one for threads."""
    made: list[AsyncClient] = []

    def make(url: str, **options: Any) -> AsyncClient:
        if request.param == "async":
            made.append(AsyncClient(url, **options))
        else:
            made.append(in_threads(Client(url, **options)))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def assay(connect: Connect, served: Server) -> AsyncClient:
    """A client of the server."""
    client: AsyncClient = connect(served.url)
    return client


@pytest.fixture
async def quiet(connect: Connect, guarded: Server) -> AsyncClient:
    """A client of a server where nobody works on runs."""
    admin = await guarded.installation.person(Role.admin)
    scopes = [Scope.playground_read, Scope.playground_write]
    client: AsyncClient = connect(
        guarded.url, api_key=await guarded.installation.key(admin, *scopes)
    )
    return client


@dataclass(frozen=True)
class Place:
    """Where things are made."""

    project_id: str
    use_case_id: str


@pytest.fixture
async def place(assay: AsyncClient) -> Place:
    """A use case of its own."""
    project = await assay.projects.create("Support", description="All bots")
    use_case = await assay.use_cases.create(project.id, "Sort messages")
    return Place(str(project.id), str(use_case.id))
