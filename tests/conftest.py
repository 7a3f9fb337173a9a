"""One PostgreSQL for the whole test run, a migrated database copied for each worker."""

import asyncio
import contextlib
import gc
import ipaddress
import os
import re
import shutil
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from assay import migrations
from assay.app import create_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.embedded import PostgresServer, get_server
from assay.core.logging import configure_logging
from assay.worker import open_gateway, open_workshop, run_worker

TEMPLATE = "assay_template"
# Tests may lose their data in a crash; they gain a third of their time.
FAST = "\nmax_connections = 300\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"

_running: list[tuple[PostgresServer, Path]] = []


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL in the process that controls the test run."""
    configure_logging(Settings(log_level="WARNING", _env_file=None))
    if hasattr(config, "workerinput") or "ASSAY_TEST_DSN" in os.environ:
        return
    home = Path(tempfile.mkdtemp(prefix="assay-test-"))
    server = get_server(home / "pg", cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (home / "pg" / "postgresql.conf").open("a") as file:
        file.write(FAST)
    server.start()
    _running.append((server, home))
    os.environ["ASSAY_TEST_DSN"] = server.get_uri()
    asyncio.run(_make_template(server.get_uri()))


def pytest_xdist_auto_num_workers() -> int:
    """Three workers for two cores: tests wait for PostgreSQL and for processes half of the time."""
    return (3 * (os.cpu_count() or 1) + 1) // 2


def pytest_collection_finish() -> None:
    """Keep the collector of garbage from going through what stays to the end."""
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop PostgreSQL and remove its data."""
    for server, home in _running:
        os.environ.pop("ASSAY_TEST_DSN", None)
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)
    _running.clear()


def named(dsn: str, name: str) -> str:
    """The address of database `name` on the server of `dsn`."""
    head, _, query = dsn.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


async def _make_template(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    await connection.close()
    database = Database(named(dsn, TEMPLATE))
    await migrations.upgrade(database)
    await database.dispose()


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """No test reaches beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise AssertionError(f"a test wants to connect to {host}")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def new_database_dsn() -> Callable[[], Any]:
    """Makes a fresh, migrated database and gives its address."""
    server = os.environ["ASSAY_TEST_DSN"]

    async def make() -> str:
        name = f"test_{uuid.uuid4().hex}"
        connection = await asyncpg.connect(server)
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        finally:
            await connection.close()
        return named(server, name)

    return make


@pytest.fixture(scope="session")
async def settings(
    new_database_dsn: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a server on this test worker's own database, without a worker inside."""
    return Settings(
        database_url=await new_database_dsn(),
        assay_home=tmp_path_factory.mktemp("home"),
        server_workers=0,
        shutdown_seconds=2,
        _env_file=None,
    )


@pytest.fixture(scope="session")
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database of this test worker."""
    assert settings.database_url
    database = Database(settings.database_url)
    yield database
    await database.dispose()


@pytest.fixture
async def own_database(new_database_dsn: Callable[[], Any]) -> AsyncIterator[Database]:
    """A fresh database for one test alone."""
    database = Database(await new_database_dsn())
    yield database
    await database.dispose()


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, with its lifespan begun."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the application."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture(scope="session")
async def worker(settings: Settings, database: Database) -> AsyncIterator[None]:
    """A worker on this test worker's database."""
    async with (
        open_gateway(settings, database) as gateway,
        open_workshop(settings, database, gateway) as workshop,
        run_worker(settings, database, workshop),
    ):
        yield


@pytest.fixture
def count_queries(app: FastAPI) -> Callable[[], contextlib.AbstractContextManager[list[str]]]:
    """`with count_queries() as queries:` collects the SQL statements of requests inside."""

    @contextlib.contextmanager
    def collecting() -> Iterator[list[str]]:
        queries: list[str] = []

        def collect(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            # The event feed and the gateway's leases are at it in the background.
            if not re.search(r"FROM events\.events|gateway\.leases|advisory_xact_lock", statement):
                queries.append(statement)

        engine = app.state.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", collect)
        try:
            yield queries
        finally:
            event.remove(engine, "before_cursor_execute", collect)

    return collecting
