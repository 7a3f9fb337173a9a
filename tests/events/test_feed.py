"""What one process knows of the event log."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.events.reading import tell

from assay.core.database import Database
from assay.core.listening import Listener
from assay.events.feed import EventFeed, FeedEvent


@dataclass(frozen=True)
class Odd:
    """Sees events with an odd position, or with an even one."""

    odd: bool = True

    def sees(self, event: FeedEvent) -> bool:
        return event.position % 2 == self.odd


@pytest.fixture
async def feed(own_database: Database) -> AsyncIterator[EventFeed]:
    await tell(own_database, 1)
    listener = Listener(own_database)
    feed = EventFeed(own_database, listener)
    async with listener, feed:
        yield feed


async def known(feed: EventFeed, position: int) -> None:
    async with asyncio.timeout(20):
        while feed.head < position:
            await feed.wait(feed.end, 1)


async def test_it_begins_behind_what_is_there(own_database: Database, feed: EventFeed) -> None:
    assert (feed.head, feed.end) == (1, 0)
    await tell(own_database, 2, 3)
    await known(feed, 3)
    assert (feed.head, feed.end) == (3, 2)


async def test_each_takes_what_they_see(own_database: Database, feed: EventFeed) -> None:
    await tell(own_database, 2, 3, 4, 5)
    await known(feed, 5)
    odd, even = feed.take(0, Odd()), feed.take(0, Odd(odd=False))
    assert odd is not None
    assert even is not None
    assert [line for line in odd.split(b"\n") if line.startswith(b"id")] == [b"id: 3", b"id: 5"]
    assert [line for line in even.split(b"\n") if line.startswith(b"id")] == [b"id: 2", b"id: 4"]
    assert feed.take(2, Odd()) == odd[odd.index(b"id: 5") :]
    assert feed.take(feed.end, Odd()) == b""


async def test_those_who_see_the_same_share_the_bytes(
    own_database: Database, feed: EventFeed
) -> None:
    await tell(own_database, *range(10))
    await known(feed, 11)
    assert feed.take(0, Odd()) is feed.take(0, Odd())


async def test_what_is_not_kept_any_more_is_said_to_be_gone(
    own_database: Database, feed: EventFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.feed.KEPT", 4)
    await tell(own_database, *range(2, 12))
    await known(feed, 11)
    assert feed.end == 10
    assert feed.take(5, Odd()) is None
    kept = feed.take(6, Odd())
    assert kept is not None
    assert kept.count(b"id: ") == 2


async def test_many_events_are_read_in_pieces(
    own_database: Database, feed: EventFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.feed.READ_AT_ONCE", 10)
    await tell(own_database, *range(95))
    await known(feed, 96)
    assert feed.end == 95


async def test_a_waiting_reader_is_woken_or_gives_up(
    own_database: Database, feed: EventFeed
) -> None:
    assert not await feed.wait(feed.end, 0.01)
    waiting = asyncio.create_task(feed.wait(feed.end, 5))
    await asyncio.sleep(0)
    feed.wake()
    assert await waiting
    await tell(own_database, 2)
    await known(feed, 2)
    assert await feed.wait(0, 0.0), "there is something already"
    waiting = asyncio.create_task(feed.wait(feed.end, 5))
    await asyncio.sleep(0)
    feed.close()
    assert await waiting
    assert await feed.wait(feed.end, 5), "at once, when it is closed"


async def test_it_catches_up_with_what_another_server_knows(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.feed.LOOK_EVERY", 3600.0)
    async with EventFeed(own_database, Listener(own_database)) as deaf:
        await tell(own_database, 1, 2)
        async with asyncio.timeout(20):
            await deaf.catch_up(2)
            assert deaf.head == 2
            await deaf.catch_up(1)
            await deaf.catch_up(1000)
        assert deaf.head == 2


async def test_it_looks_by_itself_now_and_then(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a notification that got lost."""
    monkeypatch.setattr("assay.events.feed.LOOK_EVERY", 0.05)
    async with EventFeed(own_database, Listener(own_database)) as deaf:
        await tell(own_database, 1)
        await known(deaf, 1)


async def test_it_outlives_a_database_that_is_away(
    own_database: Database, feed: EventFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.feed.LOOK_EVERY", 0.05)
    connection = await own_database.connect()
    for number in range(2, 5):
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.execute(
            "INSERT INTO events.events (type, topic, data) VALUES ('test.told', 'runs', '{}')"
        )
        await known(feed, number)
    await connection.close()


async def test_it_outlives_a_pool_that_is_used_up(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.feed.LOOK_EVERY", 0.05)
    small = Database(own_database.dsn, pool_size=5)
    monkeypatch.setattr(small.engine.sync_engine.pool, "_timeout", 0.05)
    async with EventFeed(small, Listener(small)) as feed:
        held = [await small.engine.connect() for _ in range(5)]
        await tell(own_database, 1)
        await asyncio.sleep(0.3)
        assert feed.head == 0
        for connection in held:
            await connection.close()
        await known(feed, 1)
    await small.dispose()
