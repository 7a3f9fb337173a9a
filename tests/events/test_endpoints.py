"""What a reader can ask for."""

from uuid import uuid4

import httpx2
import pytest
from tests.events.reading import following, tell
from tests.events.served import Server

from assay.core.errors import Invalid
from assay.events.endpoints import Wanted, read_topics
from assay.events.models import Topic
from assay.identity.actor import LOCAL_USER


async def test_only_the_topics_that_were_asked_for_come(server: Server) -> None:
    async with following(server.url, topics="runs,prompts") as reader:
        for number, topic in enumerate(Topic):
            await tell(server.database, number, topic=topic)
        await tell(server.database, 100)
        await reader.until(events=3)
        assert [event["topic"] for event in reader.events] == ["prompts", "runs", "runs"]


async def test_all_topics_come_where_none_is_asked_for(server: Server) -> None:
    async with following(server.url, topics=" , ") as reader:
        for number, topic in enumerate(Topic):
            await tell(server.database, number, topic=topic, user_id=LOCAL_USER)
        await reader.until(events=len(Topic))
        assert [event["topic"] for event in reader.events] == list(Topic)


async def test_a_single_thing_can_be_followed(server: Server) -> None:
    run, other = uuid4(), uuid4()
    async with following(server.url, topics=f"jobs,runs:{str(run).upper()}") as reader:
        await tell(server.database, 1, subject=other)
        await tell(server.database, 2, subject=run)
        await tell(server.database, 3, subject=run, topic=Topic.prompts)
        await tell(server.database, 4, subject=None)
        await tell(server.database, 5, subject=other, topic=Topic.jobs)
        await reader.until(events=2)
        assert reader.numbers == [2, 5]


def test_topics_and_things_are_read_with_spaces_around() -> None:
    run = uuid4()
    wanted = read_topics(f" jobs , runs:{run},,")
    assert wanted == Wanted(frozenset({Topic.jobs}), frozenset({(Topic.runs, str(run))}))
    assert read_topics("") == Wanted()


@pytest.mark.parametrize(
    "text", ["nothing", "Runs", "runs:", "runs:7", ":", "run s", "nothing:" + "0" * 32, "runs;jobs"]
)
def test_a_topic_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_topics(f"prompts,{text}")
    [fault] = refusal.value.errors
    assert fault.place == "query.topics"
    assert f"`{text}`" in fault.message
    assert ", ".join(Topic) in fault.message


async def test_wrong_topics_are_all_named(client: httpx2.AsyncClient) -> None:
    response = await client.get("/api/v1/sse", params={"topics": "runs,cats,runs:x"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    faults = response.json()["errors"]
    assert [fault["place"] for fault in faults] == ["query.topics"] * 2
    assert ["`cats`" in faults[0]["message"], "`runs:x`" in faults[1]["message"]] == [True, True]


@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", str(2**63), ""])
async def test_a_last_event_id_that_is_none_is_refused(
    client: httpx2.AsyncClient, last_id: str
) -> None:
    response = await client.get("/api/v1/sse", headers={"Last-Event-ID": last_id})
    assert response.status_code == 422
    assert response.json()["errors"][0]["place"] == "header.last-event-id"
