"""The registry of tags, as a front end calls it."""

from typing import Any

import pytest
from sqlalchemy import select
from tests.apps.talking import MESSAGES, TAGS, Chat

from assay.core.database import Database
from assay.identity.audit.models import AuditEntry


async def make(chat: Chat, name: str, status: int = 201) -> Any:
    return await chat.call("POST", TAGS, status, json={"app_id": chat.app_id, "name": name})


async def test_a_tag_as_it_is_made(chat: Chat) -> None:
    made = await make(chat, "knee")
    assert made == {
        "id": made["id"],
        "app_id": chat.app_id,
        "name": "knee",
        "count": 0,
        "last_used": made["last_used"],
        "user_id": "default",
    }
    assert isinstance(made["id"], int)
    assert (await make(chat, "knee", 409))["code"] == "tag_exists"
    await make(chat, "Knee")
    await make(Chat(chat.client, f"{chat.app_id}-b"), "knee")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a"},
        {"app_id": "x"},
        {"app_id": "", "name": "a"},
        {"app_id": "x", "name": ""},
        {"app_id": "x", "name": "x" * 101},
        {"app_id": "x", "name": "\x00"},
        {"app_id": "x", "name": "a", "count": 5},
    ],
)
async def test_what_is_no_tag(chat: Chat, body: object) -> None:
    await chat.call("POST", TAGS, 422, json=body)


async def test_the_most_used_come_first(chat: Chat) -> None:
    session = await chat.session()
    for tags in (["b", "c"], ["c"], ["a", "b", "c"]):
        await chat.message(session["id"], tags)
    await make(chat, "z")
    assert list(await chat.counts()) == ["c", "b", "a", "z"]
    query: dict[str, str | int] = {"app_id": chat.app_id, "limit": 1, "offset": 1}
    response = await chat.client.get(TAGS, params=query)
    assert [tag["name"] for tag in response.json()] == ["b"]
    assert response.headers["X-Total-Count"] == "4"
    await chat.call("GET", TAGS, 422)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("%", {"100%"}),
        ("_", {"a_b"}),
        ("\\", {"back\\slash"}),
        ("KNEE", {"knee", "Knee pain"}),
        ("ee p", {"Knee pain"}),
        ("", {"100%", "a_b", "back\\slash", "knee", "Knee pain"}),
        ("nothing", set()),
    ],
)
async def test_a_search_takes_every_character_as_it_is(chat: Chat, q: str, found: set[str]) -> None:
    for name in ("100%", "a_b", "back\\slash", "knee", "Knee pain"):
        await make(chat, name)
    response = await chat.client.get(TAGS, params={"app_id": chat.app_id, "q": q})
    assert {tag["name"] for tag in response.json()} == found
    assert response.headers["X-Total-Count"] == str(len(found))


async def test_counting_by_hand_never_falls_below_0(chat: Chat) -> None:
    made = await make(chat, "knee")
    path = f"{TAGS}/{made['id']}"
    raised = await chat.call("POST", f"{path}/increment")
    assert raised["count"] == 1
    assert raised["last_used"] > made["last_used"]
    for _ in range(2):
        lowered = await chat.call("POST", f"{path}/decrement")
        assert lowered == {**raised, "count": 0}


async def test_a_new_name_is_on_every_message_of_the_app(chat: Chat, database: Database) -> None:
    session, other = await chat.session(), await chat.session()
    carriers = [
        await chat.message(session["id"], ["old"]),
        await chat.message(session["id"], ["a", "old", "b"]),
        await chat.message(other["id"], metadata={"tags": ["old"], "note": {"old": "old"}}),
    ]
    without = await chat.message(session["id"], ["older"])
    elsewhere = Chat(chat.client, f"{chat.app_id}-b")
    foreign = await elsewhere.message((await elsewhere.session())["id"], ["old"])

    tag = await chat.tag("old")
    renamed = await chat.call("PUT", f"{TAGS}/{tag['id']}", json={"name": "a/b %"})
    assert renamed == {**tag, "name": "a/b %"}
    assert await chat.tags_of(carriers[0]["id"]) == ["a/b %"]
    assert await chat.tags_of(carriers[1]["id"]) == ["a", "a/b %", "b"]
    last = await chat.call("GET", f"{MESSAGES}/{carriers[2]['id']}")
    assert last == {**carriers[2], "metadata": {"tags": ["a/b %"], "note": {"old": "old"}}}
    assert await chat.tags_of(without["id"]) == ["older"]
    assert await elsewhere.tags_of(foreign["id"]) == ["old"]
    assert await chat.counts() == {"a/b %": 3, "a": 1, "b": 1, "older": 1}
    assert await elsewhere.counts() == {"old": 1}
    assert await chat.call("PUT", f"{TAGS}/{tag['id']}", json={"name": "a/b %"}) == renamed
    await audited(database, tag["id"], "tag.renamed")


async def audited(database: Database, tag_id: int, action: str) -> None:
    async with database.reading() as session:
        query = select(AuditEntry.action).where(AuditEntry.subject == str(tag_id))
        query = query.where(AuditEntry.action.startswith("tag."))
        assert (await session.scalars(query)).all() == [action]


async def test_a_name_that_exists_makes_two_tags_one(chat: Chat, database: Database) -> None:
    session = await chat.session()
    both = await chat.message(session["id"], ["x", "old", "new"])
    turned = await chat.message(session["id"], ["new", "old", "x"])
    only = await chat.message(session["id"], ["old"])
    new = await chat.message(session["id"], ["new"])
    old = await chat.tag("old")
    merged = await chat.call("PUT", f"{TAGS}/{old['id']}", json={"name": "new"})
    assert merged["name"] == "new"
    assert merged["count"] == 4
    assert merged["id"] == (await chat.tag("new"))["id"] != old["id"]
    assert await chat.counts() == {"new": 4, "x": 2}
    assert await chat.tags_of(both["id"]) == ["x", "new"]
    assert await chat.tags_of(turned["id"]) == ["new", "x"]
    assert await chat.tags_of(only["id"]) == ["new"]
    assert await chat.tags_of(new["id"]) == ["new"]
    await chat.call("PUT", f"{TAGS}/{old['id']}", 404, json={"name": "old"})
    await audited(database, old["id"], "tag.merged")


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": None}, {"name": "x" * 101}])
async def test_what_is_no_new_name(chat: Chat, body: object) -> None:
    made = await make(chat, "knee")
    await chat.call("PUT", f"{TAGS}/{made['id']}", 422, json=body)


async def test_a_deleted_tag_is_on_no_message(chat: Chat, database: Database) -> None:
    session = await chat.session()
    made = await chat.message(session["id"], ["a", "b"])
    tag = await chat.tag("a")
    answer = await chat.call("DELETE", f"{TAGS}/{tag['id']}")
    assert answer == {"deleted": True, "id": tag["id"]}
    assert await chat.tags_of(made["id"]) == ["b"]
    assert await chat.counts() == {"b": 1}
    await chat.call("DELETE", f"{TAGS}/{tag['id']}", 404)
    await audited(database, tag["id"], "tag.deleted")


async def test_tags_that_are_not_there(chat: Chat) -> None:
    for path in ("999999999", str(2**63 - 1)):
        await chat.call("POST", f"{TAGS}/{path}/increment", 404)
        await chat.call("POST", f"{TAGS}/{path}/decrement", 404)
        await chat.call("PUT", f"{TAGS}/{path}", 404, json={"name": "a"})
        await chat.call("DELETE", f"{TAGS}/{path}", 404)
    for path in ("0", "-1", "x", str(2**63)):
        await chat.call("DELETE", f"{TAGS}/{path}", 422)
