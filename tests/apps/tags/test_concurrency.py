"""Tags that many change at once: no count drifts, and nobody waits for ever."""

import asyncio
import random
from collections import Counter
from typing import Any

import httpx2
import pytest
from tests.apps.talking import MESSAGES, SESSIONS, TAGS, Chat


async def test_50_additions_to_50_messages_count_50(chat: Chat) -> None:
    session = await chat.session()
    messages = [await chat.message(session["id"]) for _ in range(50)]
    await asyncio.gather(
        *[
            chat.call("POST", f"{MESSAGES}/{message['id']}/tags", json={"tag": "knee"})
            for message in messages
        ]
    )
    assert await chat.counts() == {"knee": 50}
    await asyncio.gather(
        *[chat.call("DELETE", f"{MESSAGES}/{message['id']}/tags/knee") for message in messages]
    )
    assert await chat.counts() == {"knee": 0}


async def test_50_additions_to_one_message_count_1(chat: Chat) -> None:
    message = await chat.message((await chat.session())["id"])
    path = f"{MESSAGES}/{message['id']}/tags"
    await asyncio.gather(*[chat.call("POST", path, json={"tag": "knee"}) for _ in range(50)])
    assert await chat.counts() == {"knee": 1}
    assert await chat.tags_of(message["id"]) == ["knee"]


async def test_different_tags_on_one_message_are_all_kept(chat: Chat) -> None:
    message = await chat.message((await chat.session())["id"])
    path = f"{MESSAGES}/{message['id']}/tags"
    names = {str(number) for number in range(20)}
    await asyncio.gather(*[chat.call("POST", path, json={"tag": name}) for name in names])
    assert set(await chat.tags_of(message["id"])) == names
    assert await chat.counts() == dict.fromkeys(names, 1)


async def test_one_tag_made_by_many_at_once_is_one(chat: Chat) -> None:
    body = {"app_id": chat.app_id, "name": "knee"}
    responses = await asyncio.gather(*[chat.client.post(TAGS, json=body) for _ in range(10)])
    assert sorted(response.status_code for response in responses) == [201] + [409] * 9


async def test_counting_by_hand_at_once(chat: Chat) -> None:
    body = {"app_id": chat.app_id, "name": "knee"}
    made = await chat.call("POST", TAGS, 201, json=body)
    path = f"{TAGS}/{made['id']}"
    await asyncio.gather(*[chat.call("POST", f"{path}/increment") for _ in range(30)])
    await asyncio.gather(*[chat.call("POST", f"{path}/decrement") for _ in range(20)])
    assert await chat.counts() == {"knee": 10}


@pytest.mark.parametrize("seed", range(4))
async def test_all_kinds_of_changes_at_once_leave_the_counts_right(chat: Chat, seed: int) -> None:
    """Additions, removals, new metadata, new and deleted messages, renames, merges, deletions."""
    luck = random.Random(seed)
    names = ["a", "b", "c", "d"]
    sessions = [await chat.session() for _ in range(3)]
    messages = [
        await chat.message(luck.choice(sessions)["id"], luck.sample(names, 2)) for _ in range(20)
    ]
    known = await chat.call("GET", TAGS, params={"app_id": chat.app_id})

    def change() -> tuple[str, str, Any]:
        message, tag = luck.choice(messages)["id"], luck.choice(known)["id"]
        session, few = luck.choice(sessions)["id"], luck.sample(names, luck.randrange(4))
        name = luck.choice(names)
        metadata = {"tags": few}
        return luck.choice(
            [
                *[("POST", f"{MESSAGES}/{message}/tags", {"tag": name})] * 4,
                *[("DELETE", f"{MESSAGES}/{message}/tags/{name}", None)] * 3,
                *[("PUT", f"{MESSAGES}/{message}", {"metadata": metadata})] * 3,
                ("PUT", f"{MESSAGES}/{message}", {"content": "new"}),
                *[
                    (
                        "POST",
                        MESSAGES,
                        {"session_id": session, "role": "user", "metadata": metadata},
                    )
                ]
                * 3,
                ("DELETE", f"{MESSAGES}/{message}", None),
                *[("PUT", f"{TAGS}/{tag}", {"name": name})] * 3,
                ("DELETE", f"{TAGS}/{tag}", None),
                ("DELETE", f"{SESSIONS}/{sessions[0]['id']}", None),
            ]
        )

    async def send(method: str, path: str, body: Any) -> httpx2.Response:
        return await chat.client.request(method, path, json=body)

    changes = [change() for _ in range(150)]
    answers = await asyncio.gather(*[send(*each) for each in changes])
    assert {answer.status_code for answer in answers} <= {200, 201, 404}
    counts = await chat.counts()
    assert {name: count for name, count in counts.items() if count} == await carried(chat)


async def carried(chat: Chat) -> Counter[str]:
    """How many messages of the app carry each tag."""
    found: Counter[str] = Counter()
    for session in await chat.call("GET", SESSIONS, params={"app_id": chat.app_id}):
        path = f"{SESSIONS}/{session['id']}/messages"
        for message in await chat.call("GET", path, params={"limit": 500}):
            found.update((message["metadata"] or {}).get("tags", []))
    return found


async def test_a_session_deleted_under_new_messages(chat: Chat) -> None:
    for tags in (None, ["a"]):
        session = await chat.session()
        body = {
            "session_id": session["id"],
            "role": "user",
            "metadata": tags and {"tags": tags},
        }
        answers = await asyncio.gather(
            *[chat.client.post(MESSAGES, json=body) for _ in range(10)],
            chat.client.delete(f"{SESSIONS}/{session['id']}"),
            *[chat.client.post(MESSAGES, json=body) for _ in range(10)],
        )
        assert {answer.status_code for answer in answers} <= {200, 201, 404}
        assert answers[10].status_code == 200
    assert set((await chat.counts()).values()) <= {0}
