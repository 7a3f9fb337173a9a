"""Pages of a long history are read off indexes, whatever they are filtered by."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event

from assay.apps.history.schemas import HistoryFilter
from assay.apps.history.service import list_entries
from assay.core.database import Database
from assay.core.offsets import OffsetPage
from assay.identity.actor import LOCAL_ACTOR, Actor, job_actor

# One owner among others, with three apps each, in no order; an entity or source has few entries.
FILL = """
INSERT INTO apps.history (
    id, app_id, entity_type, entity_id, source_type, source_id, status, timestamp, user_id
)
SELECT gen_random_uuid(), 'app' || number % 3, 'type' || number % 5, 'entity' || number % 7000,
    'source' || number % 4, 'id' || number % 5000,
    CASE WHEN number % 37 = 0 THEN 'error' ELSE 'success' END,
    1700000000000 + number * 1000, CASE WHEN number % 19 = 0 THEN 'default' ELSE 'other' END
FROM generate_series(1, 57000) AS number ORDER BY sin(number);
"""
MIDDLE = 1700000028500000


@pytest.fixture(scope="module")
async def large(new_database_dsn: Callable[[], Awaitable[str]]) -> AsyncIterator[Database]:
    """A database with a long history."""
    database = Database(await new_database_dsn())
    connection = await database.connect()
    await connection.execute(FILL)
    await connection.execute("VACUUM (ANALYZE) apps.history")
    await connection.close()
    yield database
    await database.dispose()


async def plans(database: Database, wanted: dict[str, Any]) -> list[str]:
    """How the total and the page are found."""
    asked: list[tuple[str, Any]] = []

    def collect(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", collect)
    async with database.reading() as session:
        await list_entries(session, LOCAL_ACTOR, OffsetPage(50), HistoryFilter(**wanted))
    event.remove(engine, "before_cursor_execute", collect)
    connection = await database.connect()
    found = [
        "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement}", *parameters))
        for statement, parameters in asked
    ]
    await connection.close()
    return found


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "user_id_timestamp_id"),
        ({"since": MIDDLE}, "user_id_timestamp_id"),
        ({"app_id": "app0"}, "user_id_app_id_timestamp_id"),
        ({"app_id": "app0", "until": 1700000001000}, "user_id_app_id_timestamp_id"),
        ({"app_id": "app0", "source_type": "source2"}, "user_id_app_id_source_type_timestamp_id"),
        ({"app_id": "app1", "status": "error"}, "user_id_app_id_status_timestamp_id"),
        ({"entity_type": "type1", "entity_id": "entity6"}, "entity_type_entity_id_timestamp"),
        ({"source_type": "source2", "source_id": "id6"}, "source_type_source_id_timestamp"),
        (
            {"entity_id": "entity6", "source_type": "source2", "source_id": "id6"},
            "entity_id_source_type_source_id_timestamp",
        ),
    ],
)
async def test_pages_of_the_history(large: Database, wanted: dict[str, Any], index: str) -> None:
    total, page = await plans(large, wanted)
    assert f"ix_history_{index}" in page, page
    assert "Seq Scan" not in page, page
    if wanted.keys() != {"app_id"}:
        assert "Limit" in total, total
        assert "Seq Scan" not in total, total


async def test_the_total_of_an_app_is_kept_and_others_are_counted_so_far(large: Database) -> None:
    async def total(actor: Actor, **wanted: Any) -> int:
        page = OffsetPage(1)
        async with large.reading() as session:
            await list_entries(session, actor, page, HistoryFilter(**wanted))
        return page.total

    other = job_actor("other")
    assert await total(LOCAL_ACTOR) == 3000
    assert await total(LOCAL_ACTOR, app_id="app0") == 1000
    assert await total(LOCAL_ACTOR, app_id="app3") == 0
    assert await total(LOCAL_ACTOR, status="error") == 81
    assert await total(other, app_id="app0") == 18000
    assert await total(other) == 10000, "of 54,000, counted no further"
