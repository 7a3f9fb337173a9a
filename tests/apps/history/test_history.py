"""The history, as a front end calls it."""

import time
from itertools import combinations
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select
from tests.apps.talking import Chat, new_app

from assay.core.database import Database
from assay.identity.audit.models import AuditEntry

HISTORY = "/api/history"
WHOLE: dict[str, Any] = {
    "entity_type": "listing",
    "entity_id": "l-1",
    "source_type": "evaluator_run",
    "source_id": "e-1",
    "status": "success",
    "duration_ms": 12.5,
    "data": {"score": 0.9, "list": [None, "🦵"]},
    "triggered_by": "batch",
    "schema_version": "2.0",
    "user_context": {"browser": "x"},
    "timestamp": 1785974400000,
}


@pytest.fixture
def chat(client: httpx2.AsyncClient) -> Chat:
    """An app that no other test knows."""
    return Chat(client, new_app())


async def add(chat: Chat, **fields: Any) -> Any:
    body = {"app_id": chat.app_id, "source_type": "run", "status": "success", **fields}
    return await chat.call("POST", HISTORY, 201, json=body)


async def test_an_entry_as_it_is_made_and_read(chat: Chat) -> None:
    made = await add(chat, **WHOLE)
    assert made == {**WHOLE, "id": made["id"], "app_id": chat.app_id, "user_id": "default"}
    assert await chat.call("GET", f"{HISTORY}/{made['id']}") == made
    assert await chat.call("GET", HISTORY, params={"app_id": chat.app_id}) == [made]


async def test_what_a_new_entry_has_by_itself(chat: Chat) -> None:
    before = time.time_ns() // 1_000_000
    made = await add(chat)
    assert before <= made["timestamp"] <= time.time_ns() // 1_000_000
    assert made["triggered_by"] == "manual"
    for field in ("entity_type", "entity_id", "source_id", "duration_ms", "data"):
        assert made[field] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"app_id": None},
        {"source_type": None},
        {"source_type": ""},
        {"status": None},
        {"status": "x" * 21},
        {"duration_ms": -1},
        {"duration_ms": "long"},
        {"data": "\x00"},
        {"timestamp": 2**63},
        {"timestamp": -1},
        {"timestamp": 1.5},
        {"timestamp": "2026-01-01"},
        {"entity_id": "x" * 201},
        {"unknown": 1},
    ],
)
async def test_what_is_no_entry(chat: Chat, fields: dict[str, Any]) -> None:
    body = {"app_id": chat.app_id, "source_type": "run", "status": "success", **fields}
    await chat.call("POST", HISTORY, 422, json=body)


async def test_the_newest_come_first_by_time_and_then_by_id(chat: Chat) -> None:
    made = [await add(chat, timestamp=number) for number in (5, 1, 5, 3, 2**63 - 1)]
    made.sort(key=lambda entry: (entry["timestamp"], entry["id"]), reverse=True)
    query = {"app_id": chat.app_id}
    response = await chat.client.get(HISTORY, params=query)
    assert response.json() == made
    assert response.headers["X-Total-Count"] == "5"
    page = await chat.client.get(HISTORY, params={**query, "limit": 2, "offset": 2})
    assert page.json() == made[2:4]
    assert page.headers["X-Total-Count"] == "5"


async def test_a_page_has_50_entries_unless_said(chat: Chat) -> None:
    for _ in range(51):
        await add(chat)
    query = {"app_id": chat.app_id}
    assert len(await chat.call("GET", HISTORY, params=query)) == 50
    assert len(await chat.call("GET", HISTORY, params={**query, "limit": 500})) == 51
    for wrong in ({"limit": 501}, {"limit": 0}, {"offset": -1}, {"since": "x"}, {"until": 2**63}):
        await chat.call("GET", HISTORY, 422, params={**query, **wrong})


@pytest.fixture(scope="module")
async def many(client: httpx2.AsyncClient) -> tuple[Chat, list[Any]]:
    """An app with one entry for each combination of a few values."""
    chat = Chat(client, new_app())
    made = [
        await add(
            chat,
            entity_type=f"type{number % 2}",
            entity_id=f"{chat.app_id}{number // 2 % 2}",
            source_type=f"source{number // 4 % 2}",
            source_id=f"id{number // 8 % 2}",
            status=f"status{number // 16 % 2}",
            timestamp=1000 + number,
        )
        for number in range(32)
    ]
    return chat, made[::-1]


FILTERS: dict[str, Any] = {
    "entity_type": "type1",
    "entity_id": "1",
    "source_type": "source0",
    "source_id": "id1",
    "status": "status0",
    "since": 1004,
    "until": 1027,
}


@pytest.mark.parametrize("size", range(len(FILTERS) + 1))
@pytest.mark.parametrize("with_app", [True, False])
async def test_filters_are_combined(
    many: tuple[Chat, list[Any]], size: int, with_app: bool
) -> None:
    chat, made = many
    for names in combinations(FILTERS, size):
        if not with_app and "entity_id" not in names:
            continue
        query = {name: FILTERS[name] for name in names}
        if "entity_id" in query:
            query["entity_id"] = f"{chat.app_id}1"
        if with_app:
            query["app_id"] = chat.app_id
        expected = [
            entry
            for entry in made
            if all(entry[name] == query[name] for name in query.keys() & entry.keys())
            and query.get("since", 0) <= entry["timestamp"] <= query.get("until", 2000)
        ]
        response = await chat.client.get(HISTORY, params=query)
        assert response.json() == expected, query
        assert response.headers["X-Total-Count"] == str(len(expected))


async def test_entries_of_all_apps(chat: Chat) -> None:
    made = await add(chat, timestamp=2**63 - 1)
    [newest] = await chat.call("GET", HISTORY, params={"since": 2**63 - 1, "limit": 1})
    assert newest["timestamp"] == made["timestamp"]
    assert await chat.call("GET", HISTORY)


async def test_an_entry_is_deleted(chat: Chat, database: Database) -> None:
    made, stays = await add(chat), await add(chat)
    answer = await chat.call("DELETE", f"{HISTORY}/{made['id']}")
    assert answer == {"deleted": True, "id": made["id"]}
    await chat.call("GET", f"{HISTORY}/{made['id']}", 404)
    await chat.call("DELETE", f"{HISTORY}/{made['id']}", 404)
    response = await chat.client.get(HISTORY, params={"app_id": chat.app_id})
    assert response.json() == [stays]
    assert response.headers["X-Total-Count"] == "1"
    async with database.reading() as session:
        query = select(AuditEntry.action).where(AuditEntry.subject == made["id"])
        assert (await session.scalars(query)).all() == ["history.deleted"]


async def test_entries_that_are_not_there(chat: Chat) -> None:
    await chat.call("GET", f"{HISTORY}/{uuid4()}", 404)
    await chat.call("DELETE", f"{HISTORY}/{uuid4()}", 404)
    await chat.call("GET", f"{HISTORY}/x", 422)
