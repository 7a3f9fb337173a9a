"""Prompts in memory: what is asked, and what is served while the server is away."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from tests.client.conftest import Connect, Place
from tests.client.door import Door, door_to
from tests.client.scripted import answer, scripted
from tests.events.served import Server

from assay.client import (
    AsyncClient,
    Client,
    Conflict,
    FetchedPrompt,
    Invalid,
    Misconfigured,
    NotFound,
    ServerUnavailable,
)
from assay.core.templates import TemplateFault
from assay.playground.prompts.variables import VariablesFault

CHAT = [{"role": "system", "content": "One word."}, {"role": "user", "content": "{{ message }}"}]


@dataclass(frozen=True)
class Intent:
    """A prompt, whose version 1 is in production."""

    id: str
    use_case_id: str
    name: str


@pytest.fixture
async def intent(assay: AsyncClient, place: Place) -> Intent:
    prompt = await assay.prompts.create(place.use_case_id, "Intent")
    await assay.prompts.versions.create(prompt.id, "First: {{ message }}")
    await assay.prompts.versions.create(prompt.id, CHAT, model_defaults={"temperature": 0})
    await assay.prompts.set_label(prompt.id, "production", 1)
    return Intent(str(prompt.id), place.use_case_id, "Intent")


@pytest.fixture
async def door(served: Server) -> AsyncIterator[Door]:
    async with door_to(served.url) as door:
        yield door


@pytest.fixture
def behind(connect: Connect, door: Door) -> AsyncClient:
    """A client that comes through the door."""
    client: AsyncClient = connect(door.url, retries=0)
    return client


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was away is asked again at once."""
    for kind in ("asynchronous", "synchronous"):
        monkeypatch.setattr(f"assay.client.{kind}.prompt_cache.AWAY_SECONDS", 0.0)


async def until(
    fetch: Callable[[], Awaitable[FetchedPrompt]], done: Callable[[FetchedPrompt], bool]
) -> FetchedPrompt:
    async with asyncio.timeout(20):
        while not done(prompt := await fetch()):
            await asyncio.sleep(0.02)
    return prompt


async def test_a_fresh_one_is_not_asked_for_again(
    behind: AsyncClient, assay: AsyncClient, intent: Intent, door: Door
) -> None:
    first = await behind.prompts.fetch(intent.id)
    assert (first.version_number, first.label, first.stale) == (1, "production", False)
    assert first.render_text(message="Hi") == "First: Hi"
    await assay.prompts.set_label(intent.id, "production", 2)
    assert await behind.prompts.fetch(intent.id) is first
    assert door.asked == [f"/api/v1/prompts/{intent.id}/versions/production"]


async def test_a_stale_one_is_given_while_it_is_fetched_anew(
    behind: AsyncClient, assay: AsyncClient, intent: Intent
) -> None:
    await behind.prompts.fetch(intent.id)
    await assay.prompts.set_label(intent.id, "production", 2)
    old = await behind.prompts.fetch(intent.id, max_age=0)
    assert (old.version_number, old.stale) == (1, True)
    new = await until(lambda: behind.prompts.fetch(intent.id), lambda p: p.version_number == 2)
    assert not new.stale
    assert new.version
    assert new.version.model_defaults == {"temperature": 0}
    assert new.render(message="Hi") == [CHAT[0], {"role": "user", "content": "Hi"}]
    with pytest.raises(Misconfigured, match="chat"):
        new.render_text(message="Hi")


async def test_many_at_once_make_one_request(
    behind: AsyncClient, intent: Intent, door: Door
) -> None:
    found = await asyncio.gather(*(behind.prompts.fetch(intent.id) for _ in range(50)))
    assert {prompt.version_number for prompt in found} == {1}
    assert len(door.asked) == 1
    await asyncio.gather(*(behind.prompts.fetch(intent.id, max_age=0) for _ in range(50)))
    assert len(door.asked) <= 50


async def test_one_who_gives_up_leaves_it_to_the_others(served: Server, intent: Intent) -> None:
    async with door_to(served.url) as door, AsyncClient(door.url) as client:
        impatient = asyncio.create_task(client.prompts.fetch(intent.id))
        patient = asyncio.create_task(client.prompts.fetch(intent.id))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).version_number == 1
        assert len(door.asked) == 1


async def test_threads_at_once_make_one_request(door: Door, intent: Intent) -> None:
    def ask_all() -> list[int | None]:
        found: list[int | None] = []
        start = threading.Barrier(20)

        def ask(client: Client) -> None:
            start.wait()
            found.append(client.prompts.fetch(intent.id).version_number)

        with Client(door.url) as client:
            threads = [threading.Thread(target=ask, args=(client,)) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return found

    assert await asyncio.to_thread(ask_all) == [1] * 20
    assert len(door.asked) == 1


@pytest.mark.usefixtures("no_patience")
async def test_while_the_server_is_away_the_stale_one_is_served(
    behind: AsyncClient, intent: Intent, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    await behind.prompts.fetch(intent.id)
    await door.shut()

    with caplog.at_level(logging.WARNING, "assay.client"):
        for _ in range(10):
            prompt = await behind.prompts.fetch(intent.id, max_age=0)
            assert (prompt.version_number, prompt.stale) == (1, True)
            await asyncio.sleep(0.02)
        await until(
            lambda: behind.prompts.fetch(intent.id, max_age=0),
            lambda _: "does not answer" in caplog.text,
        )
    assert caplog.text.count("cannot be fetched anew") == 1
    await door.open()
    asked = len(door.asked)
    await until(
        lambda: behind.prompts.fetch(intent.id, max_age=0), lambda _: len(door.asked) > asked
    )
    fresh = await until(lambda: behind.prompts.fetch(intent.id), lambda p: not p.stale)
    assert fresh.version_number == 1


async def test_a_server_that_is_away_is_not_asked_all_the_time(
    behind: AsyncClient, intent: Intent, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    await behind.prompts.fetch(intent.id)
    await door.shut()
    await until(
        lambda: behind.prompts.fetch(intent.id, max_age=0),
        lambda _: "does not answer" in caplog.text,
    )
    await door.open()
    asked = len(door.asked)
    for _ in range(20):
        assert (await behind.prompts.fetch(intent.id, max_age=0)).stale
    await asyncio.sleep(0.1)
    assert len(door.asked) == asked


@pytest.mark.usefixtures("no_patience")
async def test_where_there_is_none_the_fallback_is_taken(
    behind: AsyncClient, intent: Intent, door: Door
) -> None:
    await door.shut()
    with pytest.raises(ServerUnavailable):
        await behind.prompts.fetch(intent.id)
    prompt = await behind.prompts.fetch(intent.id, fallback="Own: {{ message }}")
    assert (prompt.is_fallback, prompt.stale, prompt.version_number) == (True, True, None)
    assert prompt.render(message="Hi") == [{"role": "user", "content": "Own: Hi"}]
    chat = await behind.prompts.fetch(intent.id, fallback=CHAT)
    assert chat.render(message="Hi")[1]["content"] == "Hi"
    with pytest.raises(TemplateFault):
        await behind.prompts.fetch(intent.id, fallback="{{ message")
    await door.open()
    found = await behind.prompts.fetch(intent.id, fallback="Own: {{ message }}")
    assert (found.is_fallback, found.version_number) == (False, 1)


async def test_who_has_a_fallback_does_not_wait_for_retries(connect: Connect) -> None:
    async with scripted(answer(503, Retry_After="0")) as server:
        client = connect(server.url, retries=3)
        prompt = await client.prompts.fetch(uuid4(), fallback="Own")
        assert prompt.is_fallback
        assert len(server.asked) == 1


async def test_a_fallback_does_not_hide_a_mistake(assay: AsyncClient, intent: Intent) -> None:
    for wanted in ({"prompt": uuid4()}, {"prompt": intent.id, "label": "staging"}):
        with pytest.raises(NotFound):
            await assay.prompts.fetch(**wanted, fallback="Own")


async def test_a_label_that_is_taken_off_is_noticed(
    behind: AsyncClient, assay: AsyncClient, intent: Intent
) -> None:
    await behind.prompts.fetch(intent.id)
    await assay.prompts.delete(intent.id)
    with pytest.raises(NotFound):
        await until(lambda: behind.prompts.fetch(intent.id, max_age=0), lambda _: False)


async def test_by_name(behind: AsyncClient, assay: AsyncClient, intent: Intent, door: Door) -> None:
    await assay.prompts.create(intent.use_case_id, "Intent of others")
    where: dict[str, Any] = {"use_case_id": intent.use_case_id}
    assert (await behind.prompts.fetch("Intent", **where)).version_number == 1
    asked = len(door.asked)
    await behind.prompts.fetch("Intent", **where)
    assert len(door.asked) == asked
    with pytest.raises(NotFound, match="'intent'"):
        await behind.prompts.fetch("intent", **where)
    with pytest.raises(Misconfigured, match="use_case_id"):
        await behind.prompts.fetch("Intent")
    await assay.prompts.create(intent.use_case_id, "Twice")
    await assay.prompts.create(intent.use_case_id, "Twice")
    with pytest.raises(Conflict, match="2 prompts"):
        await behind.prompts.fetch("Twice", **where)


@pytest.mark.parametrize(
    "variables",
    [
        {"order": {"items": [1, 2]}, "message": "Hi", "more": None},
        {"order": {"items": ["a"]}, "message": None},
        {"order": {"items": []}, "message": "<b>", "n": 2.0},
        {"order": [], "message": "Hi"},
        {"message": "Hi"},
        {},
    ],
)
async def test_it_is_filled_in_as_the_server_would(
    assay: AsyncClient, place: Place, variables: dict[str, Any]
) -> None:
    prompt = await assay.prompts.create(place.use_case_id, "Order")
    template = "{% for item in order.items %}{{ item }},{% endfor %}{{ message }}{{ n|default(1) }}"
    version = await assay.prompts.versions.create(prompt.id, template)
    await assay.prompts.set_label(prompt.id, "production", 1)
    fetched = await assay.prompts.fetch(prompt.id)
    try:
        there: object = await assay.prompts.render(version.id, variables)
    except Invalid as error:
        there = (error.code, error.detail, error.errors)
    try:
        here: object = fetched.render(**variables)
    except (VariablesFault, TemplateFault) as fault:
        here = (fault.code, fault.detail, fault.errors)
    assert here == there
