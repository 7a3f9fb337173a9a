"""Readers that do not read are dropped, and the others do not notice."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest
from tests.events.reading import following, tell
from tests.events.served import Server

BIG = "x" * 8000


@asynccontextmanager
async def standing_still(server: Server) -> AsyncIterator[socket.socket]:
    """A reader that asks for the stream, reads its opening, and then nothing more."""
    host, port = server.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await loop.sock_connect(connection, (host, int(port)))
        request = f"GET /api/v1/sse HTTP/1.1\r\nHost: {host}\r\n\r\n"
        await loop.sock_sendall(connection, request.encode())
        opening = b""
        while b"retry" not in opening:
            opening += await loop.sock_recv(connection, 1024)
        yield connection


async def rest_of(connection: socket.socket) -> bytes:
    """What had been sent, up to where the connection was cut."""
    loop, received = asyncio.get_running_loop(), b""
    async with asyncio.timeout(20):
        while True:
            try:
                piece = await loop.sock_recv(connection, 65536)
            except ConnectionResetError:
                return received
            if not piece:
                return received
            received += piece


def held_by_server(connection: socket.socket) -> bool:
    """Whether the other end, which is in this process too, is still open."""
    ends = psutil.Process().net_connections("tcp")
    return any(end.raddr == connection.getsockname() for end in ends)


async def test_one_that_stops_reading_is_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.stream.PATIENCE_SECONDS", 0.2)
    tasks = len(asyncio.all_tasks())
    async with standing_still(server) as slow, following(server.url) as quick:
        for number in range(200):
            await tell(server.database, number, text=BIG)
        await quick.until(events=200)
        assert quick.numbers == list(range(200))
        await quick.leave()
        async with asyncio.timeout(20):
            while len(asyncio.all_tasks()) > tasks or held_by_server(slow):
                await asyncio.sleep(0.02)
        received = await rest_of(slow)
        assert len(received) < 200 * len(BIG)
        assert not received.endswith(b"0\r\n\r\n"), "cut off, not ended"


async def test_one_that_is_slow_but_reads_is_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.stream.PATIENCE_SECONDS", 2.0)
    async with standing_still(server) as slow:
        for number in range(30):
            await tell(server.database, number, text=BIG)
        received = b""
        async with asyncio.timeout(20):
            while b'"number":29' not in received:
                received += await asyncio.get_running_loop().sock_recv(slow, 50_000)
        assert received.count(b'"test.told"') == 30


async def test_the_feed_keeps_nothing_for_one_that_stands_still(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only as much as it always keeps; who falls behind that is cut off, however patient."""
    monkeypatch.setattr("assay.events.feed.KEPT", 20)
    monkeypatch.setattr("assay.events.stream.PATIENCE_SECONDS", 600.0)
    feed = server.feed
    async with standing_still(server) as slow, following(server.url) as quick:
        for number in range(0, 300, 10):
            await tell(server.database, *range(number, number + 10), text=BIG)
            await quick.until(events=number + 10)
            assert len(feed._events) <= 2 * 20
            assert len(feed._shared) <= 2
        assert quick.numbers == list(range(300))
        received = await rest_of(slow)
        assert 0 < received.count(b'"test.told"') < 300
