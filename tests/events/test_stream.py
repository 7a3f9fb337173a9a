"""Streams of events as their readers see them."""

import asyncio
import signal
from uuid import uuid4

import pytest
from tests.events.reading import following, tell
from tests.events.served import Server, opened

from assay.core.config import Settings
from assay.events.models import Topic
from assay.events.service import publish


async def test_everything_comes_in_order_and_none_twice(server: Server) -> None:
    async with following(server.url) as one, following(server.url) as two:
        for number in range(0, 100, 5):
            await tell(server.database, *range(number, number + 5))
            await asyncio.sleep(number % 3 * 0.005)
        for reader in (one, two):
            await reader.until(events=100)
            assert reader.numbers == list(range(100))
            ids = [int(event["id"]) for event in reader.events]
            assert ids == list(range(ids[0], ids[0] + 100))
        assert one.events == two.events


async def test_an_event_says_what_happened(server: Server) -> None:
    async with following(server.url) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.response.headers["cache-control"] == "no-store"
        assert reader.response.headers["x-accel-buffering"] == "no"
        await tell(server.database, 7, subject=uuid4(), text="a\nb\r\nü")
        await reader.until(events=1)
    assert reader.events == [
        {
            "id": reader.last_id,
            "type": "test.told",
            "topic": "runs",
            "data": {"number": 7, "text": "a\nb\r\nü"},
        }
    ]
    assert ("retry", "2000") in reader.fields
    assert {name for name, _ in reader.fields} == {"retry", "id"}


async def test_it_is_not_held_back_by_compression(server: Server) -> None:
    async with following(server.url, {"Accept-Encoding": "gzip"}) as reader:
        assert "content-encoding" not in reader.response.headers
        await tell(server.database, 1, text="x" * 5000)
        await reader.until(events=1)


async def test_a_change_over_http_is_told(server: Server) -> None:
    async with following(server.url) as reader:
        client = await server.installation.client()
        made = (await client.post("/api/v1/projects", json={"name": "Support"})).json()
        await reader.until(events=1)
    [event] = reader.events
    assert (event["type"], event["topic"]) == ("project.created", "projects")
    assert event["data"]["id"] == event["data"]["project_id"] == made["id"]
    assert event["data"]["name"] == "Support"
    assert event["data"]["by"] == "default"


async def test_a_change_that_was_taken_back_is_not_told(server: Server) -> None:
    async with following(server.url) as reader:
        with pytest.raises(RuntimeError, match="thought better"):
            async with server.database.session() as session:
                publish(session, Topic.runs, "test.told", {"number": 1})
                await session.flush()
                raise RuntimeError("thought better of it")
        await tell(server.database, 2)
        await reader.until(events=1)
        assert reader.numbers == [2]


async def test_silence_is_filled_with_comments(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.events.stream.HEARTBEAT_SECONDS", 0.02)
    async with following(server.url) as reader:
        opening = list(reader.fields)
        await reader.until(comments=3)
        assert reader.fields == opening, "a comment moves no reader on"
        await tell(server.database, 1)
        await reader.until(events=1)
        await reader.until(comments=reader.comments + 1)
    assert reader.numbers == [1]


async def test_a_reader_that_leaves_costs_nothing_more(server: Server) -> None:
    before = len(asyncio.all_tasks())
    async with following(server.url) as reader:
        await tell(server.database, 1)
        await reader.until(events=1)
        assert len(asyncio.all_tasks()) > before
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.01)


async def test_a_stop_of_the_server_ends_streams_at_once(own_settings: Settings) -> None:
    patient = own_settings.model_copy(update={"shutdown_seconds": 600})
    async with (
        opened(patient) as server,
        following(server.url) as one,
        following(server.url) as two,
    ):
        await tell(server.database, 1)
        await one.until(events=1)
        signal.raise_signal(signal.SIGTERM)
        await one.ended()
        await two.ended()
        async with asyncio.timeout(20):
            await server.task
