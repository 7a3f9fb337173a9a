"""Sessions, raw connections, and what counts as a lost connection."""

import asyncio
import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from assay.core.database import Database, driver_connection, is_disconnect, to_json
from assay.core.errors import SetupError
from assay.identity.users.models import User


class Kind(StrEnum):
    one = "one"


INSERT = "INSERT INTO numbers VALUES (1)"


@pytest.fixture
async def numbers(own_database: Database) -> Database:
    """A database with the table `numbers`, whose rows are checked at commit."""
    connection = await own_database.connect()
    await connection.execute(
        "CREATE TABLE numbers (number int UNIQUE DEFERRABLE INITIALLY DEFERRED, json jsonb)"
    )
    await connection.close()
    return own_database


async def count(database: Database) -> int:
    """What another connection sees."""
    connection = await database.connect()
    found = await connection.fetchval("SELECT count(*) FROM numbers")
    await connection.close()
    return int(found)


async def test_a_session_is_one_transaction(numbers: Database) -> None:
    async with numbers.session() as session:
        await session.execute(text(INSERT))
        await session.flush()
        assert await count(numbers) == 0
    assert await count(numbers) == 1


@pytest.mark.parametrize("error", [ValueError(), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_a_session_that_ends_in_an_error_leaves_nothing(
    numbers: Database, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        async with numbers.session() as session:
            await session.execute(text(INSERT))
            raise error
    assert await count(numbers) == 0


async def test_a_commit_that_fails_is_an_error_and_leaves_nothing(numbers: Database) -> None:
    with pytest.raises(IntegrityError):
        async with numbers.session() as session:
            await session.execute(text(INSERT))
            await session.execute(text(INSERT))
    assert await count(numbers) == 0


async def test_a_driver_connection_works_inside_the_transaction(numbers: Database) -> None:
    with pytest.raises(ValueError, match="enough"):
        async with numbers.session() as session:
            connection = await driver_connection(session)
            assert connection.is_in_transaction()
            await connection.execute(INSERT)
            assert await session.scalar(text("SELECT count(*) FROM numbers")) == 1
            assert await driver_connection(session) is connection
            raise ValueError("enough")
    assert await count(numbers) == 0
    async with numbers.session() as session:
        await (await driver_connection(session)).execute(INSERT)
    assert await count(numbers) == 1


async def test_a_plain_connection_commits_by_itself(numbers: Database) -> None:
    with pytest.raises(ValueError, match="later"):
        async with numbers.connection() as connection:
            await connection.execute(INSERT)
            assert await count(numbers) == 1
            raise ValueError("later")
    assert await count(numbers) == 1


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ({"a": float("nan"), "b": float("inf"), "c": -0.5}, {"a": None, "b": None, "c": -0.5}),
        ({1: "a", None: "c", 2.5: "d"}, {"1": "a", "null": "c", "2.5": "d"}),
        ((1, (2,)), [1, [2]]),
        ('ä😀\u2028\\"', 'ä😀\u2028\\"'),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC), "2026-11-23T01:02:03+00:00"),
        (Kind.one, "one"),
    ],
)
async def test_json_of_odd_values_is_stored_as_it_reads(
    numbers: Database, value: object, stored: object
) -> None:
    written = to_json(value)
    assert json.loads(written) == stored
    async with numbers.connection() as connection:
        await connection.execute("INSERT INTO numbers (json) VALUES ($1)", written)
        assert await connection.fetchval("SELECT json FROM numbers") == stored


@pytest.mark.parametrize("value", [2**64, {1, 2}, object(), "\ud800"])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_json(value)


async def end_backends(database: Database) -> None:
    """Cut all connections of others, as a restart does."""
    connection = await database.connect()
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_a_cut_connection_is_a_disconnect_and_the_next_one_works(
    numbers: Database,
) -> None:
    with pytest.raises(DBAPIError) as lost:
        async with numbers.session() as session:
            await session.execute(text(INSERT))
            await end_backends(numbers)
            await session.execute(text(INSERT))
    assert is_disconnect(lost.value)
    async with numbers.session() as session:
        await session.execute(text(INSERT))
    assert await count(numbers) == 1


async def test_a_connection_cut_before_the_commit_is_a_disconnect(numbers: Database) -> None:
    with pytest.raises(DBAPIError) as lost:
        async with numbers.session() as session:
            await session.execute(text(INSERT))
            await end_backends(numbers)
    assert is_disconnect(lost.value)
    assert await count(numbers) == 0


async def test_a_cut_raw_connection_is_a_disconnect(numbers: Database) -> None:
    connection = await numbers.connect()
    closed = asyncio.Event()
    connection.add_termination_listener(lambda _: closed.set())
    await end_backends(numbers)
    await lose_statement(connection)
    # Until the driver has read the end of the stream it takes the lost statement for one in
    # progress, and refuses the next as a mistake of ours.
    await asyncio.wait_for(closed.wait(), 10)
    await lose_statement(connection)


async def lose_statement(connection: asyncpg.Connection) -> None:
    """Send a statement over a cut connection, and see the error told apart."""
    of_driver = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    with pytest.raises((*of_driver, OSError)) as lost:
        await connection.execute(INSERT)
    assert is_disconnect(lost.value)


@pytest.mark.parametrize(
    "statement",
    ["SELECT 1/0", "SELEC 1", "SELECT * FROM nowhere", "INSERT INTO numbers VALUES (2)"],
)
async def test_a_statement_at_fault_is_no_disconnect(numbers: Database, statement: str) -> None:
    async with numbers.session() as session:
        await session.execute(text("INSERT INTO numbers VALUES (2)"))
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        with pytest.raises(DBAPIError) as wrong:
            await session.execute(text(statement))
        assert not is_disconnect(wrong.value)
        await session.rollback()
    connection = await numbers.connect()
    with pytest.raises(asyncpg.PostgresError) as raw:
        await connection.execute("SELECT 1/0")
    assert not is_disconnect(raw.value)
    assert not is_disconnect(ValueError())
    await connection.close()


async def test_a_sign_of_life(own_database: Database) -> None:
    await own_database.check()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgresql://u:s3cr3t@127.0.0.1:1/x", "Connect call failed"),
        ("postgresql://u:s3cr3t@/x?host=/no/such/folder", "No such file"),
        ("postgresql://u:s3cr3t/7@127.0.0.1/x", "%2F"),
        ("postgresql://u:s3cr3t#7@127.0.0.1/x", "%2F"),
        ("postgresql://u:s3cr3t@127.0.0.1/x?sslmode=perhaps", "sslmode"),
        ("mysql://u:s3cr3t@127.0.0.1/x", "scheme"),
    ],
)
async def test_no_sign_of_life_is_told_without_the_password(address: str, reason: str) -> None:
    with pytest.raises(SetupError) as refusal:
        await Database(address).check()
    assert reason in refusal.value.detail
    assert "DATABASE_URL" in refusal.value.detail
    assert "s3cr3t" not in str(refusal.value)


async def test_connections_say_whose_they_are(own_database: Database) -> None:
    connection = await own_database.connect()
    assert await connection.fetchval("SHOW application_name") == "assay"
    await connection.close()


async def test_the_pool_grows_to_its_size_and_no_further(own_database: Database) -> None:
    database = Database(own_database.dsn, pool_size=6)
    held: list[Any] = []
    held.extend([await database.engine.connect() for _ in range(6)])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            held.append(await database.engine.connect())
    for connection in held:
        await connection.close()
    await database.dispose()


async def test_a_reading_session_has_no_transaction(numbers: Database) -> None:
    async with numbers.reading() as session:
        assert await session.scalar(text("SELECT count(*) FROM numbers")) == 0
        async with numbers.session() as other:
            await other.execute(text(INSERT))
        assert await session.scalar(text("SELECT count(*) FROM numbers")) == 1
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        own = f"{idle} AND datname = current_database()"
        connection = await numbers.connect()
        assert await connection.fetchval(own) == 0
        await connection.close()
    # Its connection goes back as it was.
    async with numbers.session() as session:
        await session.execute(text(INSERT.replace("1", "2")))
        assert await count(numbers) == 1


async def test_a_reading_session_writes_nothing(database: Database) -> None:
    async with database.reading() as session:
        session.add(User(email="reader@example.com", name="Reader", role="viewer"))
        with pytest.raises(RuntimeError, match="only reads"):
            await session.flush()
