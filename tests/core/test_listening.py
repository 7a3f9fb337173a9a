"""The connection that listens, also when it is lost."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from assay.core.database import Database
from assay.core.listening import Listener


class Calls:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1

    async def reach(self, count: int) -> None:
        await until(lambda: self.count >= count)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


async def notify(database: Database, channel: str, payload: str = "") -> None:
    connection = await database.connect()
    await connection.execute("SELECT pg_notify($1, $2)", channel, payload)
    await connection.close()


async def cut(database: Database) -> None:
    connection = await database.connect()
    cut = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    assert len(cut) == 1


async def test_each_channel_has_its_callbacks(own_database: Database) -> None:
    one, two, both = Calls(), Calls(), Calls()
    listener = Listener(own_database)
    assert not listener.connected
    for channel, calls in (("one", one), ("two", two)):
        listener.on(channel, calls)
        listener.on(channel, both)
    async with listener:
        assert listener.connected
        await notify(own_database, "one", "a")
        await notify(own_database, "three")
        await notify(own_database, "two", "b")
        await notify(own_database, "one", "c")
        await both.reach(3)
        assert (one.count, two.count, both.count) == (2, 1, 3)
    assert not listener.connected
    await notify(own_database, "one")
    assert both.count == 3


async def test_what_is_rolled_back_is_not_heard(own_database: Database) -> None:
    calls = Calls()
    listener = Listener(own_database)
    listener.on("one", calls)
    async with listener:
        connection = await own_database.connect()
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("NOTIFY one")
        await transaction.rollback()
        await connection.execute("NOTIFY one, 'second'")
        await connection.close()
        await calls.reach(1)
        assert calls.count == 1


async def test_a_lost_connection_is_replaced_and_everybody_called(own_database: Database) -> None:
    one, two = Calls(), Calls()
    listener = Listener(own_database)
    listener.on("one", one)
    listener.on("two", two)
    async with listener:
        for number in range(1, 4):
            await cut(own_database)
            await one.reach(number)
            await two.reach(number)
            assert listener.connected
        await notify(own_database, "one")
        await one.reach(4)
        assert (one.count, two.count) == (4, 3)


async def test_while_the_database_is_away_it_says_so_and_tries_again(
    own_database: Database,
) -> None:
    calls = Calls()
    listener = Listener(own_database)
    listener.on("one", calls)
    name = own_database.dsn.partition("?")[0].rpartition("/")[2]
    async with listener:
        other = await asyncpg.connect(own_database.dsn.replace(f"/{name}", "/postgres"))
        await other.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        await until(lambda: not listener.connected)
        await asyncio.sleep(0.1)
        assert not listener.connected
        assert calls.count == 0
        await other.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        await other.close()
        await calls.reach(1)
        assert listener.connected


async def test_a_connection_that_is_silently_dead_is_found_out(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a firewall that forgot it: nothing comes, nothing fails."""
    monkeypatch.setattr("assay.core.listening.CHECK_EVERY", 0.05)
    monkeypatch.setattr("assay.core.listening.CHECK_SECONDS", 0.1)
    calls, opened = Calls(), list[asyncpg.Connection]()
    connect = own_database.connect

    async def remembered() -> asyncpg.Connection:
        opened.append(await connect())
        return opened[-1]

    monkeypatch.setattr(own_database, "connect", remembered)
    listener = Listener(own_database)
    listener.on("one", calls)
    async with listener:
        opened[0]._transport.pause_reading()
        await calls.reach(1)
        assert len(opened) == 2
        await notify(own_database, "one")
        await calls.reach(2)
