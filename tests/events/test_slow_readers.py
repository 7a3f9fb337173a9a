"""Readers that do not read are dropped, and the others do not notice."""

import asyncio

import pytest
from tests.events.reading import following, tell
from tests.events.served import Server
from tests.events.standing import held_by_server, rest_of, standing_still

BIG = "x" * 8000


def serving(before: set[asyncio.Task[object]]) -> list[asyncio.Task[object]]:
    """Tasks that serve a stream, and were not there before."""
    names = ("RequestResponseCycle.run_asgi", "_cancel_when_gone")
    return [task for task in asyncio.all_tasks() - before if name_of(task) in names]


def name_of(task: asyncio.Task[object]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


async def test_one_that_stops_reading_is_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.core.server_sent.PATIENCE_SECONDS", 0.2)
    before = asyncio.all_tasks()
    async with standing_still(server.url) as slow, following(server.url) as quick:
        for number in range(200):
            await tell(server.database, number, text=BIG)
        await quick.until(events=200)
        assert quick.numbers == list(range(200))
        assert serving(before)
        await quick.leave()
        async with asyncio.timeout(20):
            while serving(before) or held_by_server(slow):
                await asyncio.sleep(0.02)
        received = await rest_of(slow)
        assert len(received) < 200 * len(BIG)
        assert not received.endswith(b"0\r\n\r\n"), "cut off, not ended"


async def test_one_that_is_slow_but_reads_is_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.core.server_sent.PATIENCE_SECONDS", 2.0)
    async with standing_still(server.url) as slow:
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
    monkeypatch.setattr("assay.core.server_sent.PATIENCE_SECONDS", 600.0)
    feed = server.feed
    async with standing_still(server.url) as slow, following(server.url) as quick:
        for number in range(0, 300, 10):
            await tell(server.database, *range(number, number + 10), text=BIG)
            await quick.until(events=number + 10)
            assert len(feed._events) <= 2 * 20
            assert len(feed._shared) <= 2
        assert quick.numbers == list(range(300))
        received = await rest_of(slow)
        assert 0 < received.count(b'"test.told"') < 300
