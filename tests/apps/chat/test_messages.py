"""Chat messages and the tags on them, as a front end calls them."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from tests.apps.talking import MESSAGES, SESSIONS, Chat

WHOLE: dict[str, Any] = {
    "role": "assistant",
    "content": "Rest it. 🦵",
    "metadata": {"tags": ["knee"], "model": {"name": "x", "temperature": 0.5}},
    "status": "error",
    "error_message": "Timed out",
}
STRANGE = [
    "a/b",
    "/a//b/",
    "größe",
    "🦵 knee",
    "100%",
    "%2F",
    "a b+c",
    "?q=1&r#s",
    "line\nbreak",
    '"quoted" \\ back',
    "'; DROP TABLE apps.tags; --",
    "x" * 100,
    "tags/x",
    "...",
    "a;b:c,d",
]


async def test_a_message_as_it_is_made_and_read(chat: Chat) -> None:
    session = await chat.session()
    made = await chat.message(session["id"], **WHOLE)
    assert made == {
        **WHOLE,
        "id": made["id"],
        "session_id": session["id"],
        "created_at": made["created_at"],
        "user_id": "default",
    }
    assert datetime.fromisoformat(made["created_at"]).utcoffset() == timedelta(0)
    assert await chat.call("GET", f"{MESSAGES}/{made['id']}") == made
    assert await chat.counts() == {"knee": 1}


async def test_what_a_new_message_has_by_itself(chat: Chat) -> None:
    session = await chat.session()
    body = {"session_id": session["id"], "role": "user"}
    made = await chat.call("POST", MESSAGES, 201, json=body)
    assert made["content"] == ""
    assert made["metadata"] is None
    assert made["status"] == "complete"
    assert made["error_message"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"role": None},
        {"role": ""},
        {"role": "x" * 21},
        {"content": None},
        {"content": "\x00"},
        {"status": "x" * 21},
        {"metadata": []},
        {"metadata": {"tags": None}},
        {"metadata": {"tags": "a"}},
        {"metadata": {"tags": {"a": 1}}},
        {"metadata": {"tags": [1]}},
        {"metadata": {"tags": [""]}},
        {"metadata": {"tags": ["x" * 101]}},
        {"metadata": {"tags": ["a\x00"]}},
        {"unknown": 1},
    ],
)
async def test_what_is_no_message(chat: Chat, fields: dict[str, Any]) -> None:
    session = await chat.session()
    made = await chat.message(session["id"])
    body = {"session_id": session["id"], "role": "user", **fields}
    await chat.call("POST", MESSAGES, 422, json=body)
    await chat.call("PUT", f"{MESSAGES}/{made['id']}", 422, json=fields)
    assert await chat.counts() == {}


async def test_a_fault_of_a_tag_has_its_place(chat: Chat) -> None:
    body = {"session_id": str(uuid4()), "role": "user", "metadata": {"tags": ["a", 1]}}
    problem = await chat.call("POST", MESSAGES, 422, json=body)
    assert problem["errors"][0]["place"] == "body.metadata.tags[1]"


async def test_only_what_is_sent_changes_and_null_clears(chat: Chat) -> None:
    session = await chat.session()
    made = await chat.message(session["id"], **WHOLE)
    path = f"{MESSAGES}/{made['id']}"
    changed = await chat.call("PUT", path, json={"content": "Walk.", "error_message": None})
    assert changed == {**made, "content": "Walk.", "error_message": None}
    assert await chat.call("PUT", path, json={}) == changed
    assert await chat.counts() == {"knee": 1}
    cleared = await chat.call("PUT", path, json={"metadata": None})
    assert cleared == {**changed, "metadata": None}
    assert await chat.counts() == {"knee": 0}


async def test_new_metadata_is_counted_by_what_comes_and_goes(chat: Chat) -> None:
    session = await chat.session()
    made = await chat.message(session["id"], ["a", "b", "a"])
    assert made["metadata"] == {"tags": ["a", "b"]}
    assert await chat.counts() == {"a": 1, "b": 1}
    path = f"{MESSAGES}/{made['id']}"
    for metadata, counts in [
        ({"tags": ["c", "b", "c"], "note": 1}, {"a": 0, "b": 1, "c": 1}),
        ({"tags": ["c", "b"]}, {"a": 0, "b": 1, "c": 1}),
        ({"note": 2}, {"a": 0, "b": 0, "c": 0}),
        ({"tags": []}, {"a": 0, "b": 0, "c": 0}),
        ({"tags": ["a"]}, {"a": 1, "b": 0, "c": 0}),
    ]:
        await chat.call("PUT", path, json={"metadata": metadata})
        assert await chat.counts() == counts


async def test_messages_are_listed_newest_first(chat: Chat) -> None:
    session, other = await chat.session(), await chat.session()
    made = [await chat.message(session["id"], content=str(number)) for number in range(5)]
    await chat.message(other["id"])
    path = f"{SESSIONS}/{session['id']}/messages"
    response = await chat.client.get(path)
    assert response.json() == made[::-1]
    assert response.headers["X-Total-Count"] == "5"
    response = await chat.client.get(path, params={"limit": 2, "offset": 3})
    assert response.json() == made[:2][::-1]
    assert await chat.call("GET", f"{SESSIONS}/{(await chat.session())['id']}/messages") == []


async def test_a_deleted_message_takes_its_tags_along(chat: Chat) -> None:
    session = await chat.session()
    made = await chat.message(session["id"], ["a", "b"])
    await chat.message(session["id"], ["a"])
    answer = await chat.call("DELETE", f"{MESSAGES}/{made['id']}")
    assert answer == {"deleted": True, "id": made["id"]}
    assert await chat.counts() == {"a": 1, "b": 0}
    await chat.call("GET", f"{MESSAGES}/{made['id']}", 404)
    await chat.call("DELETE", f"{MESSAGES}/{made['id']}", 404)
    assert await chat.counts() == {"a": 1, "b": 0}


async def test_a_tag_is_put_on_and_taken_off_once(chat: Chat) -> None:
    session = await chat.session()
    made = await chat.message(session["id"], metadata={"note": 1})
    path = f"{MESSAGES}/{made['id']}/tags"
    for _ in range(2):
        tagged = await chat.call("POST", path, json={"tag": "knee"})
        assert tagged == {**made, "metadata": {"note": 1, "tags": ["knee"]}}
        assert await chat.counts() == {"knee": 1}
    used = (await chat.tag("knee"))["last_used"]
    tagged = await chat.call("POST", path, json={"tag": "leg"})
    assert tagged["metadata"]["tags"] == ["knee", "leg"]
    for _ in range(2):
        tagged = await chat.call("DELETE", f"{path}/knee")
        assert tagged["metadata"] == {"note": 1, "tags": ["leg"]}
        assert await chat.counts() == {"knee": 0, "leg": 1}
    await chat.call("POST", path, json={"tag": "knee"})
    assert (await chat.tag("knee"))["last_used"] > used


@pytest.mark.parametrize("tag", STRANGE)
async def test_strange_tags_come_off_as_they_went_on(chat: Chat, tag: str) -> None:
    session = await chat.session()
    made = await chat.message(session["id"])
    path = f"{MESSAGES}/{made['id']}/tags"
    await chat.call("POST", path, json={"tag": tag})
    assert await chat.counts() == {tag: 1}
    answer = await chat.call("DELETE", f"{path}/{quote(tag, safe='')}")
    assert answer["metadata"]["tags"] == []
    assert await chat.counts() == {tag: 0}


async def test_a_count_never_falls_below_0(chat: Chat) -> None:
    session = await chat.session()
    made = await chat.message(session["id"], ["a"])
    await chat.call("POST", f"/api/tags/{(await chat.tag('a'))['id']}/decrement")
    await chat.call("DELETE", f"{MESSAGES}/{made['id']}/tags/a")
    assert await chat.counts() == {"a": 0}


@pytest.mark.parametrize("body", [{}, {"tag": ""}, {"tag": None}, {"tag": "x" * 101}, {"tag": 1}])
async def test_what_is_no_tag(chat: Chat, body: object) -> None:
    session = await chat.session()
    made = await chat.message(session["id"])
    await chat.call("POST", f"{MESSAGES}/{made['id']}/tags", 422, json=body)


async def test_messages_that_are_not_there(chat: Chat) -> None:
    path = f"{MESSAGES}/{uuid4()}"
    await chat.call("GET", path, 404)
    await chat.call("PUT", path, 404, json={"content": "x"})
    await chat.call("PUT", path, 404, json={"metadata": None})
    await chat.call("DELETE", path, 404)
    await chat.call("POST", f"{path}/tags", 404, json={"tag": "a"})
    await chat.call("DELETE", f"{path}/tags/a", 404)
    for metadata in (None, {"tags": ["a"]}):
        body = {"session_id": str(uuid4()), "role": "user", "metadata": metadata}
        await chat.call("POST", MESSAGES, 404, json=body)
    assert await chat.counts() == {}
