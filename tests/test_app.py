"""The application put together: health, documentation, and what keeps it from starting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from assay import __version__
from assay.app import create_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.errors import SetupError

PASSWORD = "s3cr3t-word"


async def test_health(client: httpx2.AsyncClient) -> None:
    for path in ("/health", "/health/ready"):
        response = await client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
    response = await client.get("/api/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "connected"}


@pytest.fixture
async def refusing_database() -> AsyncIterator[Database]:
    """One that closes every connection at once."""

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Database(f"postgresql://{PASSWORD}:{PASSWORD}@127.0.0.1:{port}/assay")


@pytest.fixture(params=["nobody there", "closing", "no such folder", "unknown user", "bad"])
def gone(
    request: pytest.FixtureRequest, settings: Settings, refusing_database: Database
) -> Database:
    """A database that cannot be used, in several ways."""
    assert settings.database_url
    if request.param == "closing":
        return refusing_database
    head, _, query = settings.database_url.partition("?")
    return Database(
        {
            "nobody there": f"postgresql://u:{PASSWORD}@127.0.0.1:1/assay",
            "no such folder": f"postgresql://u:{PASSWORD}@/assay?host=/no/such/folder",
            "unknown user": f"{head.replace('postgres:@', f'nobody:{PASSWORD}@')}?{query}",
            # A slash in a password has to be written as %2F.
            "bad": f"postgresql://u:{PASSWORD}/word@db/assay",
        }[request.param]
    )


async def test_health_without_a_database(settings: Settings, gone: Database) -> None:
    app = create_app(settings)
    app.state.database = gone
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in ("/health", "/health/ready"):
            response = await client.get(path)
            assert (response.status_code, response.json()) == (503, {"status": "error"})
        response = await client.get("/api/health")
    assert response.status_code == 503
    body = response.json()
    assert body.keys() == {"status", "database", "reason"}
    assert (body["status"], body["database"]) == ("error", "unreachable")
    assert body["reason"].startswith("The database cannot be reached: ")
    assert PASSWORD not in response.text


async def test_documentation_is_served(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    document = (await client.get("/openapi.json")).json()
    assert document["info"]["version"] == __version__


async def refusal(settings: Settings) -> str:
    """Why an application with these settings does not start."""
    app = create_app(settings)
    with pytest.raises(SetupError) as refused:
        async with app.router.lifespan_context(app):
            pass
    return refused.value.detail


async def test_it_does_not_start_without_its_database(settings: Settings) -> None:
    address = f"postgresql://u:{PASSWORD}@127.0.0.1:1/assay"
    detail = await refusal(settings.model_copy(update={"database_url": address}))
    assert "cannot be reached" in detail
    assert "DATABASE_URL" in detail
    assert PASSWORD not in detail


async def test_it_does_not_start_on_a_database_that_is_not_migrated(
    settings: Settings, own_database: Database
) -> None:
    async with own_database.connection() as connection:
        await connection.execute("DROP TABLE alembic_version")
    detail = await refusal(settings.model_copy(update={"database_url": own_database.dsn}))
    assert "revision none" in detail
    assert "assay migrate" in detail


async def test_it_does_not_start_in_a_home_that_cannot_be_written(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    changes: dict[str, Any] = {"database_url": None, "assay_home": tmp_path / "file" / "home"}
    detail = await refusal(settings.model_copy(update=changes))
    assert str(tmp_path / "file" / "home") in detail
    assert "ASSAY_HOME" in detail


async def connections(database: Database) -> int:
    """How many there are to this database, beside the one that asks."""
    connection = await database.connect()
    count = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    return int(count)


async def no_connections(database: Database) -> None:
    async with asyncio.timeout(5):
        while await connections(database):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("workers", [0, 1])
async def test_it_leaves_nothing_open(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]], workers: int
) -> None:
    dsn = await new_database_dsn()
    app: FastAPI = create_app(
        settings.model_copy(update={"database_url": dsn, "server_workers": workers})
    )
    watching = Database(dsn)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/api/v1/projects")).json() == []
        assert await connections(watching) > 0
    await no_connections(watching)
    await watching.dispose()
