"""Events over several server processes, and over a database that drops connections."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from tests.events.reading import following, tell
from tests.events.served import Server

from assay.core.database import Database


@asynccontextmanager
async def process(environment: Mapping[str, str]) -> AsyncIterator[str]:
    """The address of `assay up` in a process of its own, which must end well."""
    command = [sys.executable, "-m", "assay.cli.main", "up", "--port", "0", "--workers", "0"]
    started = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        cwd=environment["ASSAY_HOME"],
        stderr=asyncio.subprocess.PIPE,
    )
    assert started.stderr is not None
    said = ""
    try:
        while not (ready := re.search(r"ready at (http://\S+)", said)):
            line = await started.stderr.readline()
            assert line, said
            said += line.decode()
        yield ready[1]
        started.send_signal(signal.SIGTERM)
        said += (await started.stderr.read()).decode()
        assert await started.wait() == 0, said
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_two_servers_tell_the_same_in_the_same_order(
    own_database: Database, tmp_path: Path
) -> None:
    environment = {
        "DATABASE_URL": own_database.dsn,
        "ASSAY_HOME": str(tmp_path),
        "SHUTDOWN_SECONDS": "60",
    }
    async with AsyncExitStack() as stack:
        urls = await asyncio.gather(
            *(stack.enter_async_context(process(environment)) for _ in range(2))
        )
        readers = [await stack.enter_async_context(following(url)) for url in urls]
        clients = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=url)) for url in urls
        ]

        async def make(client: httpx2.AsyncClient, number: int) -> None:
            body = {"name": f"Project {number}"}
            response = await client.post("/api/v1/projects", json=body)
            assert response.status_code == 201

        await asyncio.gather(*(make(clients[number % 2], number) for number in range(40)))
        for reader in readers:
            await reader.until(events=40)
            assert {event["data"]["name"] for event in reader.events} == {
                f"Project {number}" for number in range(40)
            }
        assert readers[0].events == readers[1].events

        # Whoever comes back to the other server goes on there.
        half = readers[0].events[19]["id"]
        async with following(urls[1], {"Last-Event-ID": half}) as again:
            await again.until(events=20)
            assert again.events == readers[0].events[20:]


async def cut(database: Database, which: str) -> int:
    """Cut connections to this database; gives how many there were."""
    connection = await database.connect()
    try:
        cut = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
        )
        return len(cut)
    finally:
        await connection.close()


async def test_a_listener_that_is_cut_off_misses_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.feed.LOOK_EVERY", 3600.0)
    async with following(server.url) as reader:
        await tell(server.database, 0)
        await reader.until(events=1)
        for number in range(1, 4):
            assert await cut(server.database, "query LIKE 'LISTEN%'") == 1
            await tell(server.database, number)
            await reader.until(events=number + 1)
        assert reader.numbers == [0, 1, 2, 3]


async def test_a_stream_outlives_a_restart_of_the_database(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as a server sees one: all connections are cut at once."""
    monkeypatch.setattr("assay.events.feed.LOOK_EVERY", 0.05)
    async with following(server.url) as reader:
        await tell(server.database, 1)
        await reader.until(events=1)
        assert await cut(server.database, "true") >= 2
        writer = Database(server.database.dsn)
        await tell(writer, 2)
        await writer.dispose()
        await reader.until(events=2)
        assert reader.numbers == [1, 2]
