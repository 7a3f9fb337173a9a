"""Settings, as a front end calls them."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from tests.apps.talking import Chat, new_app

from assay.apps.settings.models import Setting
from assay.core.database import Database
from assay.identity.audit.models import AuditEntry

SETTINGS = "/api/settings"


@pytest.fixture
def front(client: httpx2.AsyncClient) -> Chat:
    """An app that no other test knows; its name is also its keys'."""
    return Chat(client, new_app())


async def put(front: Chat, key: str, value: Any, **fields: Any) -> None:
    body = {"app_id": front.app_id, "key": key, "value": value, **fields}
    assert await front.call("PUT", SETTINGS, json=body) == {"updated": True}


async def read(front: Chat, **query: Any) -> Any:
    return await front.call("GET", SETTINGS, params={"app_id": front.app_id, **query})


@pytest.mark.parametrize(
    "value",
    [None, False, True, 0, -1, 1.5, "", "null", "dark 🦵", [], {}, {"a": [None, {"b": 0}]}, 2**62],
)
async def test_any_json_comes_back_as_it_was(front: Chat, value: Any) -> None:
    await put(front, front.app_id, value)
    [setting] = await read(front, key=front.app_id)
    assert setting == {
        "id": setting["id"],
        "app_id": front.app_id,
        "key": front.app_id,
        "value": value,
        "updated_at": setting["updated_at"],
        "user_id": "default",
    }
    assert type(setting["value"]) is type(value)


async def test_a_value_takes_the_place_of_the_one_before(front: Chat) -> None:
    await put(front, front.app_id, {"a": 1})
    [before] = await read(front, key=front.app_id)
    await put(front, front.app_id, None)
    [after] = await read(front, key=front.app_id)
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == {**before, "value": None}


async def test_a_setting_for_all_apps_is_there_once(front: Chat, database: Database) -> None:
    key = front.app_id
    body = {"key": key, "value": 0}
    await asyncio.gather(
        *[
            front.call("PUT", SETTINGS, json={**body, "value": number, **app_id})
            for number in range(10)
            for app_id in ({}, {"app_id": None})
        ]
    )
    async with database.reading() as session:
        query = select(func.count()).where(Setting.key == key)
        assert await session.scalar(query) == 1


async def test_what_holds_for_all_apps_comes_after_the_apps_own(front: Chat) -> None:
    key = front.app_id
    await put(front, key, "own")
    await put(front, f"{key}-2", "second")
    await put(front, key, "all", app_id=None)
    await put(front, key, "other", app_id=f"{front.app_id}-b")
    both = await read(front, key=key)
    assert [(setting["app_id"], setting["value"]) for setting in both] == [
        (front.app_id, "own"),
        (None, "all"),
    ]
    everything = [setting for setting in await read(front, limit=500) if key in setting["key"]]
    assert [setting["value"] for setting in everything] == ["second", "own", "all"]
    response = await front.client.get(
        SETTINGS, params={"app_id": front.app_id, "key": key, "limit": 1, "offset": 1}
    )
    assert [setting["value"] for setting in response.json()] == ["all"]
    assert response.headers["X-Total-Count"] == "2"
    assert await read(front, key="nothing like it") == []


async def test_a_setting_is_deleted_where_it_is_meant(front: Chat, database: Database) -> None:
    key = front.app_id
    await put(front, key, "own")
    await put(front, key, "all", app_id=None)
    [own, _] = await read(front, key=key)
    query = {"app_id": front.app_id, "key": key}
    answer = await front.call("DELETE", SETTINGS, params=query)
    assert answer == {"deleted": True, **query}
    assert [setting["value"] for setting in await read(front, key=key)] == ["all"]
    await front.call("DELETE", SETTINGS, 404, params=query)
    answer = await front.call("DELETE", SETTINGS, params={"key": key})
    assert answer == {"deleted": True, "app_id": None, "key": key}
    assert await read(front, key=key) == []
    async with database.reading() as session:
        entries = select(AuditEntry.action, AuditEntry.details).where(
            AuditEntry.subject == str(own["id"]), AuditEntry.action.startswith("setting.")
        )
        told = (await session.execute(entries.order_by(AuditEntry.id))).all()
    assert [action for action, _ in told] == ["setting.updated", "setting.deleted"]
    assert all(details == query for _, details in told), "and never the value"


@pytest.mark.parametrize(
    "body",
    [
        {"app_id": "x", "key": "k"},
        {"app_id": "x", "value": 1},
        {"app_id": "", "key": "k", "value": 1},
        {"app_id": "x", "key": "", "value": 1},
        {"app_id": "x", "key": "k" * 201, "value": 1},
        {"app_id": "x" * 51, "key": "k", "value": 1},
        {"app_id": "x", "key": "k", "value": "\x00"},
        {"app_id": "x", "key": "k", "value": 1, "unknown": 1},
    ],
)
async def test_what_is_no_setting(front: Chat, body: Any) -> None:
    await front.call("PUT", SETTINGS, 422, json=body)


async def test_what_has_to_be_said(front: Chat) -> None:
    await front.call("GET", SETTINGS, 422)
    await front.call("GET", SETTINGS, 422, params={"key": "k"})
    await front.call("DELETE", SETTINGS, 422, params={"app_id": "x"})
