"""Readers that come back with the last event that they saw."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.events.reading import EventReader, following, tell
from tests.events.served import Server

from assay.core.database import Database
from assay.events.models import Topic


@asynccontextmanager
async def resuming(server: Server, last_id: object) -> AsyncIterator[EventReader]:
    async with following(server.url, {"Last-Event-ID": str(last_id)}) as reader:
        yield reader


async def head(database: Database) -> int:
    return int(await fetch(database, "SELECT max(position) FROM events.events"))


async def fetch(database: Database, query: str) -> int:
    connection = await database.connect()
    try:
        value: int = await connection.fetchval(query)
        return value
    finally:
        await connection.close()


async def test_what_was_missed_comes_first_and_then_what_is_new(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.stream.REPLAY_AT_ONCE", 7)
    async with following(server.url) as reader:
        await tell(server.database, 1)
        await reader.until(events=1)
    await tell(server.database, *range(2, 50))
    async with asyncio.timeout(20):
        while server.feed.head < await head(server.database):
            await asyncio.sleep(0.005)
    async with resuming(server, reader.last_id) as again:
        await again.until(events=48)
        await tell(server.database, 50)
        await again.until(events=49)
        assert again.numbers == list(range(2, 51))


@pytest.mark.parametrize("kept", [10, 10_000])
async def test_what_was_missed_comes_from_memory_and_from_the_table(
    server: Server, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr("assay.events.feed.KEPT", kept)
    monkeypatch.setattr("assay.events.stream.REPLAY_AT_ONCE", 7)
    for number in range(0, 50, 5):
        await tell(server.database, *range(number, number + 5))
        async with asyncio.timeout(20):
            while server.feed.head < await head(server.database):
                await asyncio.sleep(0.005)
    newest = server.feed.head
    assert (server.feed.behind(0, newest, 7) is None) == (kept == 10)
    assert [event.position for event in server.feed.behind(40, newest, 7) or ()] == [*range(41, 48)]
    assert [event.position for event in server.feed.behind(46, 48, 7) or ()] == [47, 48]
    async with resuming(server, 0) as reader:
        await reader.until(events=50)
        assert reader.numbers == list(range(50))


async def test_one_who_has_seen_nothing_yet_begins_where_it_first_came(server: Server) -> None:
    await tell(server.database, 1)
    async with following(server.url) as reader:
        assert not reader.events
    await tell(server.database, 2)
    async with resuming(server, reader.last_id) as again:
        await again.until(events=1)
        assert again.numbers == [2]


async def test_zero_is_the_beginning_of_all(server: Server) -> None:
    async with resuming(server, 0) as reader:
        await tell(server.database, 1)
        await reader.until(events=1)
    async with resuming(server, 0) as again:
        await again.until(events=1)
        assert again.events == reader.events


async def test_nothing_is_missed_or_doubled_while_events_are_written(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers come and go all the time; each goes on where it left."""
    monkeypatch.setattr("assay.events.stream.REPLAY_AT_ONCE", 7)
    total, dice = 300, random.Random(8)

    async def write() -> None:
        for number in range(0, total, 3):
            await tell(server.database, *range(number, number + 3))
            await asyncio.sleep(dice.random() * 0.006)

    async def read(every: int) -> list[int]:
        seen: list[int] = []
        last_id = "0"
        while len(seen) < total:
            async with resuming(server, last_id) as reader:
                await reader.until(events=min(every, total - len(seen)))
            seen += reader.numbers
            last_id = reader.last_id
        return seen

    _, *readers = await asyncio.gather(write(), read(1 + total // 9), read(31), read(total))
    for seen in readers:
        assert seen == list(range(total))


async def test_one_whose_events_are_gone_is_told_so(server: Server) -> None:
    await tell(server.database, *range(1, 11))
    kept = await head(server.database) - 4
    await fetch(server.database, f"DELETE FROM events.events WHERE position < {kept}")
    async with resuming(server, kept - 2) as reader:
        await reader.until(events=1)
        [lost] = reader.events
        assert (lost["type"], lost["topic"]) == ("events.lost", None)
        assert "load anew" in lost["data"]["detail"]
        assert lost["id"] == reader.last_id == str(await head(server.database))
        await tell(server.database, 11)
        await reader.until(events=2)
        assert reader.numbers == [11], "it goes on with what is new"
    async with resuming(server, kept - 1) as reader:
        await reader.until(events=6)
        assert reader.numbers == list(range(6, 12)), "the last one that lost nothing"


@pytest.mark.parametrize("last_id", [1000, 2**63 - 1])
async def test_one_from_the_future_is_told_so(server: Server, last_id: int) -> None:
    """The database may be an older copy, say, in which other events get these numbers."""
    await tell(server.database, 1)
    async with resuming(server, last_id) as reader:
        await tell(server.database, 2)
        await reader.until(events=2)
        assert reader.types == ["events.lost", "test.told"]
        assert reader.numbers == [2]


async def test_one_who_comes_from_a_server_that_was_ahead_loses_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.feed.GATHER_SECONDS", 0.3)
    async with following(server.url) as reader:
        await tell(server.database, 1)
        await reader.until(events=1)
    await tell(server.database, 2, 3)
    ahead = await head(server.database)
    async with resuming(server, ahead - 1) as one, resuming(server, ahead) as two:
        await tell(server.database, 4)
        await one.until(events=2)
        await two.until(events=1)
        assert (one.numbers, two.numbers) == ([3, 4], [4])


async def test_topics_hold_for_what_was_missed_too(server: Server) -> None:
    await tell(server.database, 1, topic=Topic.prompts)
    await tell(server.database, 2)
    async with following(server.url, {"Last-Event-ID": "0"}, topics="runs") as reader:
        await reader.until(events=1)
        await tell(server.database, 3)
        await reader.until(events=2)
        assert reader.numbers == [2, 3]
