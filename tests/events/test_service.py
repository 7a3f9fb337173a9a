"""Events in the table: their positions, reading them, removing old ones."""

import asyncio
import random
from uuid import uuid4

import pytest
from sqlalchemy import text
from tests.events.reading import positions, tell

from assay.core.database import Database
from assay.events.models import Event, Topic
from assay.events.service import (
    first_position,
    last_position,
    publish,
    read_after,
    remove_old,
)


async def read(
    database: Database, after: int, limit: int = 1000, until: int | None = None
) -> list[int]:
    async with database.session() as session:
        events = await read_after(session, after, limit=limit, until=until)
    return [event.data["number"] for event in events]


async def test_an_event_is_kept_as_it_was_published(own_database: Database) -> None:
    project, run = uuid4(), uuid4()
    async with own_database.session() as session:
        publish(
            session,
            Topic.runs,
            "run.completed",
            {"passed": 3},
            subject=run,
            project_id=project,
            user_id="ada",
        )
        publish(session, Topic.users, "user.created", {})
    async with own_database.session() as session:
        first, second = await read_after(session, 0, limit=10)
    assert (first.position, first.topic, first.type) == (1, Topic.runs, "run.completed")
    assert (first.subject, first.project_id, first.user_id) == (str(run), project, "ada")
    assert first.data == {"passed": 3}
    assert (second.position, second.data) == (2, {})
    assert (second.subject, second.project_id, second.user_id) == (None, None, None)


async def test_positions_follow_the_order_of_commits(own_database: Database) -> None:
    """Not the one in which transactions began or wrote, and the slow one holds nobody up."""
    async with own_database.session() as slow:
        publish(slow, Topic.runs, "test.told", {"number": 1})
        await slow.flush()
        async with asyncio.timeout(20):
            await tell(own_database, 2)
        assert await read(own_database, 0) == [2]
        publish(slow, Topic.runs, "test.told", {"number": 3})
        await slow.flush()
        await tell(own_database, 4)
    assert await read(own_database, 0) == [2, 4, 1, 3]
    assert await positions(own_database) == [3, 1, 4, 2]


async def test_what_is_rolled_back_leaves_no_gap(own_database: Database) -> None:
    await tell(own_database, 1)
    with pytest.raises(RuntimeError):
        async with own_database.session() as session:
            publish(session, Topic.runs, "test.told", {"number": 2})
            await session.flush()
            raise RuntimeError
    async with own_database.session() as session:
        async with session.begin_nested() as inner:
            publish(session, Topic.runs, "test.told", {"number": 3})
            await session.flush()
            await inner.rollback()
        publish(session, Topic.runs, "test.told", {"number": 4})
    assert await read(own_database, 0) == [1, 4]
    assert await positions(own_database) == [1, 2]


async def test_an_event_has_no_position_before_its_commit(own_database: Database) -> None:
    async with own_database.session() as session:
        publish(session, Topic.runs, "test.told", {"number": 1})
        await session.flush()
        assert await session.scalar(text("SELECT position FROM events.events")) is None
        assert await last_position(session) == 0
        assert await first_position(session) is None


async def test_one_who_reads_all_the_time_misses_none(own_database: Database) -> None:
    """Whatever the transactions do: short, long, or taken back."""
    dice, told = random.Random(3), set[int]()
    done = asyncio.Event()

    async def change(number: int) -> None:
        numbers = range(number, number + dice.randint(1, 3))
        async with own_database.session() as session:
            for each in numbers:
                publish(session, Topic.runs, "test.told", {"number": each})
                await session.flush()
                await asyncio.sleep(dice.random() * 0.02)
            if dice.random() < 0.3:
                await session.rollback()
            else:
                told.update(numbers)

    async def follow() -> list[Event]:
        seen: list[Event] = []
        while True:
            last = done.is_set()
            async with own_database.session() as session:
                after = seen[-1].position if seen else 0
                assert after is not None
                found = await read_after(session, after, limit=5)
            seen += found
            if last and not found:
                return seen

    async def change_all() -> None:
        for start in range(0, 1500, 150):
            await asyncio.gather(*map(change, range(start, start + 150, 10)))
        done.set()

    _, one, two = await asyncio.gather(change_all(), follow(), follow())
    for seen in (one, two):
        assert [event.position for event in seen] == list(range(1, len(told) + 1))
        assert {event.data["number"] for event in seen} == told


async def test_a_part_can_be_read(own_database: Database) -> None:
    await tell(own_database, *range(1, 9))
    assert await read(own_database, 3) == [4, 5, 6, 7, 8]
    assert await read(own_database, 3, limit=2) == [4, 5]
    assert await read(own_database, 3, until=6) == [4, 5, 6]
    assert await read(own_database, 8) == []
    async with own_database.session() as session:
        assert await first_position(session) == 1
        assert await last_position(session) == 8


async def age(database: Database, hours: float, *numbers: int) -> None:
    connection = await database.connect()
    await connection.execute(
        "UPDATE events.events SET created_at = clock_timestamp() - $1 * interval '1 hour' "
        "WHERE (data->>'number')::int = ANY ($2)",
        hours,
        numbers,
    )
    await connection.close()


async def remove(database: Database, limit: int = 100) -> int:
    async with database.session() as session:
        return await remove_old(session, hours=24, limit=limit)


async def test_old_events_are_removed_the_oldest_first(own_database: Database) -> None:
    await tell(own_database, *range(1, 9))
    await age(own_database, 25, 1, 2, 3, 4, 5)
    await age(own_database, 23, 6)
    assert await remove(own_database, limit=3) == 3
    assert await read(own_database, 0) == [4, 5, 6, 7, 8]
    assert await remove(own_database, limit=3) == 2
    assert await remove(own_database, limit=3) == 0
    assert await read(own_database, 0) == [6, 7, 8]


async def test_the_newest_event_stays_for_those_who_come_back(own_database: Database) -> None:
    await tell(own_database, 1, 2, 3)
    await age(own_database, 1000, 1, 2, 3)
    assert await remove(own_database) == 2
    async with own_database.session() as session:
        assert await first_position(session) == await last_position(session) == 3
    assert await remove(own_database) == 0


async def test_no_hole_is_made_among_those_that_stay(own_database: Database) -> None:
    """An event of a long transaction is older than those that were committed before it."""
    await tell(own_database, *range(1, 7))
    await age(own_database, 25, 1, 3, 4)
    assert await remove(own_database) == 1
    assert await read(own_database, 0) == [2, 3, 4, 5, 6]
    await age(own_database, 25, 2)
    assert await remove(own_database, limit=2) == 2
    assert await read(own_database, 0) == [4, 5, 6]
