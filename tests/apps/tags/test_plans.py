"""A tag is renamed on many messages by one statement, which finds them by an index."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import event

from assay.apps.tags.models import Tag
from assay.apps.tags.service import rename_tag
from assay.core.database import Database
from assay.identity.actor import LOCAL_ACTOR

CARRIERS = 500
FILL = f"""
INSERT INTO apps.chat_sessions (id, app_id, user_id)
SELECT CAST(lpad(to_hex(number), 32, '0') AS uuid), 'app', 'default'
FROM generate_series(0, 99) AS number;
INSERT INTO apps.chat_messages (id, session_id, role, metadata, user_id)
SELECT gen_random_uuid(), CAST(lpad(to_hex(number % 100), 32, '0') AS uuid), 'user',
    CASE WHEN number < {CARRIERS} THEN '{{"tags": ["x", "old"]}}'
    ELSE '{{"tags": ["x"]}}' END::jsonb, 'default'
FROM generate_series(0, 19999) AS number;
INSERT INTO apps.tags (app_id, name, count, user_id) VALUES
    ('app', 'old', {CARRIERS}, 'default'), ('app', 'x', 20000, 'default');
"""


@pytest.fixture
async def large(new_database_dsn: Callable[[], Awaitable[str]]) -> AsyncIterator[Database]:
    """A database with many messages, of which few carry a tag."""
    database = Database(await new_database_dsn())
    connection = await database.connect()
    await connection.execute(FILL)
    await connection.execute("VACUUM (ANALYZE) apps.chat_messages")
    await connection.execute("VACUUM (ANALYZE) apps.chat_sessions")
    await connection.close()
    yield database
    await database.dispose()


class Undone(Exception):  # nothing is wrong
    """So that nothing is committed."""


async def renamed(
    database: Database, name: str, *, undo: bool = False
) -> list[tuple[str, tuple[object, ...]]]:
    """The statements on messages when tag 1 is renamed."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def collect(_c: object, _u: object, statement: str, parameters: Any, *_: object) -> None:
        if "chat_messages" in statement:
            asked.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", collect)
    with suppress(Undone):
        async with database.session() as session:
            await rename_tag(session, LOCAL_ACTOR, 1, name)
            if undo:
                raise Undone
    event.remove(engine, "before_cursor_execute", collect)
    return asked


async def test_the_statement_finds_the_messages_by_an_index(large: Database) -> None:
    [(statement, parameters)] = await renamed(large, "new", undo=True)
    connection = await large.connect()
    rows = await connection.fetch(f"EXPLAIN {statement}", *parameters)
    await connection.close()
    found = "\n".join(row[0] for row in rows)
    assert "Bitmap Index Scan on ix_chat_messages_tags" in found, found
    assert "Seq Scan on chat_messages" not in found, found


async def test_a_merge_counts_who_carried_both_and_changes_messages_once(large: Database) -> None:
    statements = [statement for statement, _ in await renamed(large, "x")]
    assert [statement.split()[0] for statement in statements] == ["SELECT", "UPDATE"]
    async with large.reading() as session:
        tag = await session.get_one(Tag, 2)
    assert tag.count == 20000
