"""What nobody needs any more is removed, and only that."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from assay import housekeeping
from assay.core.config import Settings
from assay.core.database import Database
from assay.housekeeping import clear, keep_house


@pytest.fixture
def kept(settings: Settings) -> Settings:
    return settings.model_copy(update={"events_hours": 2.0, "audit_days": 3.0, "cache_days": 3.0})


async def fill(database: Database, count: int, age: timedelta) -> None:
    """So many of each kind, of an age, all at once: nobody clears up in between."""
    connection = await database.connect()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "INSERT INTO events.events (type, topic, data, created_at) "
        "SELECT 'x', 'runs', '{}', now() - $2::interval FROM generate_series(1, $1)",
        count,
        age,
    )
    await connection.execute(
        "INSERT INTO identity.audit_log (id, user_id, action, subject, created_at) "
        "SELECT gen_random_uuid(), 'x', 'x', 'x', now() - $2::interval "
        "FROM generate_series(1, $1)",
        count,
        age,
    )
    await connection.execute(
        "INSERT INTO identity.users (id, email, name, role) "
        "VALUES (gen_random_uuid(), 'ada@example.com', 'Ada', 'admin') ON CONFLICT DO NOTHING"
    )
    await connection.execute(
        "INSERT INTO identity.sessions (id, user_id, expires_at) "
        "SELECT gen_random_uuid(), id, now() + interval '1 day' - $2::interval "
        "FROM identity.users, generate_series(1, $1)",
        count,
        age,
    )
    await connection.execute(
        "INSERT INTO identity.refresh_tokens (hash, session_id) "
        "SELECT uuid_send(gen_random_uuid()), id FROM identity.sessions"
    )
    await connection.execute(
        "INSERT INTO identity.login_limits (subject, due) "
        "SELECT uuid_send(gen_random_uuid()), now() + interval '1 day' - $2::interval "
        "FROM generate_series(1, $1)",
        count,
        age,
    )
    await connection.execute(
        "INSERT INTO gateway.response_cache (key, model, response, created_at) "
        "SELECT uuid_send(gen_random_uuid()), 'x', '{}', now() - $2::interval "
        "FROM generate_series(1, $1)",
        count,
        age,
    )
    await transaction.commit()
    await connection.close()


TABLES = (
    *("events.events", "identity.audit_log", "identity.sessions", "identity.login_limits"),
    "gateway.response_cache",
)


async def counts(database: Database) -> list[int]:
    connection = await database.connect()
    found = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]
    await connection.close()
    return found


async def test_the_old_goes_and_the_young_stays(own_database: Database, kept: Settings) -> None:
    await fill(own_database, 7, timedelta(days=4))
    await fill(own_database, 2, timedelta(days=2))
    await fill(own_database, 3, timedelta(minutes=5))
    # Events live 2 hours here, entries and answers 3 days; a sign-in and a limit one day.
    assert await clear(kept, own_database) == 9 + 7 + 9 + 9 + 7
    assert await counts(own_database) == [3, 5, 3, 3, 5]
    assert await clear(kept, own_database) == 0
    connection = await own_database.connect()
    left = "SELECT count(DISTINCT session_id) FROM identity.refresh_tokens"
    assert await connection.fetchval(left) == 3
    await connection.close()


async def test_a_revoked_sign_in_stays_until_it_would_have_ended(
    own_database: Database, kept: Settings
) -> None:
    await fill(own_database, 1, timedelta(0))
    connection = await own_database.connect()
    await connection.execute("UPDATE identity.sessions SET revoked_at = now()")
    await connection.close()
    assert await clear(kept, own_database) == 0
    assert (await counts(own_database))[2] == 1


async def test_it_goes_in_pieces_of_a_transaction_each(
    own_database: Database, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who writes has to wait for long, and what was done stays done."""
    monkeypatch.setattr(housekeeping, "AT_ONCE", 4)
    await fill(own_database, 25, timedelta(days=4))
    commits: list[object] = []
    event.listen(own_database.engine.sync_engine, "commit", commits.append)
    # 25 of each, but the newest event stays: six times four, the rest, and nothing any more.
    assert await clear(kept, own_database) == 124
    assert len(commits) == 8
    assert await counts(own_database) == [1, 0, 0, 0, 0]


async def test_only_one_process_does_it(own_database: Database, kept: Settings) -> None:
    await fill(own_database, 3, timedelta(days=4))
    async with own_database.session() as other:
        taken = text("SELECT pg_try_advisory_xact_lock(:key)")
        assert await other.scalar(taken, {"key": housekeeping._LOCK})
        assert await clear(kept, own_database) == 0
    assert await clear(kept, own_database) == 2 + 4 * 3


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.01)


async def test_it_goes_on_all_the_time_and_outlives_the_database(
    own_database: Database, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(own_database.engine.sync_engine.pool, "_timeout", 0.02)

    async def cleared() -> bool:
        return (await counts(own_database))[1:] == [0, 0, 0, 0]

    async with keep_house(kept, own_database):
        await fill(own_database, 2, timedelta(days=4))
        await until(cleared)
        connection = await own_database.connect()
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        held = []
        # It may hold one of the twenty itself.
        with contextlib.suppress(PoolTimeoutError):
            while True:
                held.append(await own_database.engine.connect())
        await asyncio.sleep(0.1)
        for each in held:
            await each.close()
        await fill(own_database, 2, timedelta(days=4))
        await until(cleared)
