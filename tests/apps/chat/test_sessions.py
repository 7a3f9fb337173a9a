"""Chat sessions, as a front end calls them."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from tests.apps.talking import MESSAGES, SESSIONS, Chat

from assay.apps.chat.models import ChatMessage
from assay.core.database import Database
from assay.identity.audit.models import AuditEntry

WHOLE = {
    "external_user_id": "user-17",
    "thread_id": "t-1",
    "server_session_id": "s-1",
    "last_response_id": "r-1",
    "title": "My knee 🦵",
    "status": "archived",
    "is_first_message": False,
}


async def test_a_session_as_it_is_made_and_read(chat: Chat) -> None:
    made = await chat.session(**WHOLE)
    assert made == {
        **WHOLE,
        "id": made["id"],
        "app_id": chat.app_id,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
        "user_id": "default",
    }
    assert datetime.fromisoformat(made["created_at"]).utcoffset() == timedelta(0)
    assert await chat.call("GET", f"{SESSIONS}/{made['id']}") == made


async def test_what_a_new_session_has_by_itself(chat: Chat) -> None:
    made = await chat.session()
    assert made["title"] == "New Chat"
    assert made["status"] == "active"
    assert made["is_first_message"] is True
    for field in ("external_user_id", "thread_id", "server_session_id", "last_response_id"):
        assert made[field] is None


async def test_only_what_is_sent_changes_and_null_clears(chat: Chat) -> None:
    made = await chat.session(**WHOLE)
    path = f"{SESSIONS}/{made['id']}"
    changed = await chat.call("PUT", path, json={"title": "", "thread_id": None})
    assert changed.pop("updated_at") > made.pop("updated_at")
    assert changed == {**made, "title": "", "thread_id": None}
    same = await chat.call("PUT", path, json={})
    assert {name: same[name] for name in changed} == changed


@pytest.mark.parametrize(
    "body",
    [
        {"title": None},
        {"status": None},
        {"is_first_message": None},
        {"title": "x" * 501},
        {"status": "x" * 21},
        {"thread_id": "x" * 201},
        {"external_user_id": "x" * 101},
        {"title": "\x00"},
        {"app_id": "other"},
        {"unknown": 1},
    ],
)
async def test_what_a_session_cannot_be_changed_to(chat: Chat, body: object) -> None:
    made = await chat.session()
    await chat.call("PUT", f"{SESSIONS}/{made['id']}", 422, json=body)


async def test_lists_are_of_one_app_and_newest_first(chat: Chat) -> None:
    made = [await chat.session(title=str(number)) for number in range(5)]
    await Chat(chat.client, f"{chat.app_id}-b").session()
    response = await chat.client.get(SESSIONS, params={"app_id": chat.app_id})
    assert response.json() == made[::-1]
    assert response.headers["X-Total-Count"] == "5"
    page: dict[str, str | int] = {"app_id": chat.app_id, "limit": 2, "offset": 1}
    response = await chat.client.get(SESSIONS, params=page)
    assert response.json() == made[2:4][::-1]
    assert response.headers["X-Total-Count"] == "5"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"app_id": ""},
        {"app_id": "x" * 51},
        {"app_id": "x", "limit": 501},
        {"app_id": "x", "limit": 0},
        {"app_id": "x", "offset": -1},
    ],
)
async def test_what_a_list_needs(chat: Chat, query: dict[str, str]) -> None:
    await chat.call("GET", SESSIONS, 422, params=query)


async def test_a_deleted_session_takes_its_messages_and_their_tags(
    chat: Chat, database: Database
) -> None:
    gone, stays = await chat.session(title="Gone"), await chat.session()
    for tags in (["a", "b"], ["a"], None, []):
        message = await chat.message(gone["id"], tags)
    await chat.message(stays["id"], ["a"])
    assert await chat.counts() == {"a": 3, "b": 1}

    answer = await chat.call("DELETE", f"{SESSIONS}/{gone['id']}")
    assert answer == {"deleted": True, "id": gone["id"]}
    assert await chat.counts() == {"a": 1, "b": 0}
    await chat.call("GET", f"{SESSIONS}/{gone['id']}", 404)
    await chat.call("GET", f"{SESSIONS}/{gone['id']}/messages", 404)
    await chat.call("GET", f"{MESSAGES}/{message['id']}", 404)
    await chat.call("DELETE", f"{SESSIONS}/{gone['id']}", 404)
    left = await chat.client.get(SESSIONS, params={"app_id": chat.app_id})
    assert left.headers["X-Total-Count"] == "1"
    async with database.reading() as session:
        found = select(func.count()).where(ChatMessage.session_id == gone["id"])
        assert await session.scalar(found) == 0
        told = select(AuditEntry).where(AuditEntry.subject == gone["id"])
        entry = (await session.scalars(told)).one()
    assert entry.action == "chat_session.deleted"
    assert entry.details == {"app_id": chat.app_id, "title": "Gone"}


async def test_sessions_that_are_not_there(chat: Chat) -> None:
    path = f"{SESSIONS}/{uuid4()}"
    await chat.call("GET", path, 404)
    await chat.call("PUT", path, 404, json={})
    await chat.call("DELETE", path, 404)
    await chat.call("GET", f"{path}/messages", 404)
    await chat.call("GET", f"{SESSIONS}/nonsense", 422)
