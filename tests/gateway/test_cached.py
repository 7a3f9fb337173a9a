"""Equal requests at temperature 0, and what they cost: once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from assay.core.config import Settings
from assay.core.database import Database
from assay.gateway.cache import CachedResponse, CacheMode, ResponseCache, remove_old
from assay.gateway.cached import CachedModel, is_fixed
from assay.gateway.errors import ModelError, RateLimited
from assay.gateway.service import Gateway
from assay.gateway.types import ModelRequest, ModelResponse, TextDelta, Tool, Usage
from assay.testing.scripted_model import ScriptedModelServer

TEXTS = iter(range(10**6))


def question(text: str | None = None, **more: Any) -> ModelRequest:
    """At temperature 0; without a text, one that nobody has asked before."""
    parameters = {"temperature": 0, **more.pop("parameters", {})}
    text = text or f"question {next(TEXTS)}"
    return ModelRequest([{"role": "user", "content": text}], parameters, **more)


class Slow:
    """Answers with a number that goes up, when it is let, or with an error."""

    name = "slow/model"

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: ModelError | None = None
        self.text = "answer"

    async def complete(self, _request: ModelRequest) -> ModelResponse:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        text = f"{self.text} {number}"
        return ModelResponse(text, Usage(3, 2, 1), 12.5, cost=0.25, logprobs=[-0.5])

    def stream(self, request: ModelRequest) -> Any:
        raise NotImplementedError(request)


@pytest.fixture
def cache(own_database: Database) -> ResponseCache:
    return ResponseCache(own_database)


@pytest.fixture
def cached(cache: ResponseCache) -> Callable[..., CachedModel]:
    def make(model: Any, mode: CacheMode = CacheMode.on, place: str = "here") -> CachedModel:
        return CachedModel(model, cache, mode, place)

    return make


async def test_an_equal_request_is_answered_without_asking(
    own_database: Database, cached: Callable[..., CachedModel]
) -> None:
    model = Slow()
    asked = question(output_schema={"type": "object"})
    model.text = '{"a": 1}'
    first = await cached(model).complete(asked)
    assert first.original is None
    # Another process has nothing in common with this one but the database.
    again = await CachedModel(model, ResponseCache(own_database), CacheMode.on, "here").complete(
        asked
    )
    assert model.asked == 1
    assert (again.text, again.usage, again.cost) == (first.text, Usage(3, 2, 1), 0.0)
    assert again.original is not None
    assert (again.original.latency_ms, again.original.cost) == (12.5, 0.25)
    assert again.logprobs == first.logprobs == [-0.5]
    assert again.attempts == 0


@pytest.mark.parametrize(
    "change",
    [
        {"text": "something else"},
        {"parameters": {"max_tokens": 5}},
        {"parameters": {"temperature": 0.0, "seed": 2}},
        {"output_schema": {"type": "object"}},
        {"repetition": 1},
    ],
)
async def test_what_differs_is_asked(
    cached: Callable[..., CachedModel], change: dict[str, Any]
) -> None:
    model = Slow()
    text = f"question {next(TEXTS)}"
    await cached(model).complete(question(text))
    await cached(model).complete(question(**{"text": text, **change}))
    assert model.asked == 2
    await cached(model, place="elsewhere").complete(question(text))
    assert model.asked == 3
    await cached(model).complete(question(text))
    assert model.asked == 3


@pytest.mark.parametrize("parameters", [{}, {"temperature": 0.1}, {"temperature": None}])
async def test_without_temperature_0_the_cache_is_not_looked_into(
    cached: Callable[..., CachedModel],
    cache: ResponseCache,
    parameters: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "find", None)
    monkeypatch.setattr(cache, "keep", None)
    model = Slow()
    request = ModelRequest([{"role": "user", "content": "varies"}], parameters)
    for _ in range(2):
        await cached(model).complete(request)
    assert model.asked == 2


async def test_refresh_asks_and_keeps_the_new_answer(cached: Callable[..., CachedModel]) -> None:
    model = Slow()
    request = question()
    await cached(model).complete(request)
    new = await cached(model, CacheMode.refresh).complete(request)
    assert (new.text, new.original) == ("answer 2", None)
    assert (await cached(model).complete(request)).text == "answer 2"


@pytest.mark.parametrize("mode", [CacheMode.on, CacheMode.refresh])
async def test_equal_requests_in_flight_are_asked_once(
    cached: Callable[..., CachedModel], mode: CacheMode
) -> None:
    model = Slow()
    model.may_answer.clear()
    request = question()
    tasks = [asyncio.create_task(cached(model, mode).complete(request)) for _ in range(20)]
    await asyncio.sleep(0.05)
    model.may_answer.set()
    answers = await asyncio.gather(*tasks)
    assert model.asked == 1
    assert {answer.text for answer in answers} == {"answer 1"}
    assert sum(answer.cost or 0 for answer in answers) == 0.25


async def test_who_waits_gets_the_error_or_asks_where_the_first_is_broken_off(
    cached: Callable[..., CachedModel], cache: ResponseCache
) -> None:
    model = Slow()
    model.may_answer.clear()
    request = question()
    first = asyncio.create_task(cached(model).complete(request))
    await asyncio.sleep(0.05)
    second, third = (asyncio.create_task(cached(model).complete(request)) for _ in range(2))
    await asyncio.sleep(0.05)
    assert model.asked == 1
    first.cancel()
    await asyncio.sleep(0.05)
    assert model.asked == 2
    model.error = RateLimited("too many")
    model.may_answer.set()
    for task in (second, third):
        with pytest.raises(RateLimited):
            await task
    assert model.asked == 2
    assert cache.asking == {}
    model.error = None
    assert (await cached(model).complete(request)).original is None


async def test_answers_that_cannot_be_stored_are_given_all_the_same(
    cached: Callable[..., CachedModel],
) -> None:
    model = Slow()
    model.text = "nul \x00"
    request = question()
    for number in (1, 2):
        assert (await cached(model).complete(request)).text == f"nul \x00 {number}"


async def test_a_database_that_is_away_is_a_cache_without_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    model = CachedModel(Slow(), ResponseCache(away), CacheMode.on, "here")
    assert (await model.complete(question())).text == "answer 1"
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    await away.dispose()


async def test_many_at_a_time_cost_few_statements(
    cached: Callable[..., CachedModel], own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = 0
    connection = own_database.connection

    def counted() -> Any:
        nonlocal connections
        connections += 1
        return connection()

    monkeypatch.setattr(own_database, "connection", counted)
    model = Slow()
    requests = [question() for _ in range(500)]
    await asyncio.gather(*(cached(model).complete(request) for request in requests))
    await asyncio.gather(*(cached(model).complete(request) for request in requests))
    assert model.asked == 500
    assert connections < 50


async def test_the_gateway_streams_and_keeps_answers(
    settings: Settings, own_database: Database, provider: Callable[..., str]
) -> None:
    async with (
        ScriptedModelServer() as server,
        Gateway(settings, cache=ResponseCache(own_database)) as gateway,
    ):
        name = f"{provider(base_url=server.base_url)}/scripted"
        request = question()
        for asked, mode in enumerate([CacheMode.on, CacheMode.on, CacheMode.off], start=1):
            parts = [part async for part in gateway.model(name, cache=mode).stream(request)]
            text = "".join(part.text for part in parts[:-1] if isinstance(part, TextDelta))
            assert isinstance(parts[-1], ModelResponse)
            assert parts[-1].text == text
            assert server.counters.requests == (1 if asked < 3 else 2)
        varied = ModelRequest(request.messages, {"temperature": 1})
        async for _ in gateway.model(name, cache=CacheMode.on).stream(varied):
            pass
        assert server.counters.requests == 3
        builtin = gateway.model("builtin/echo", cache=CacheMode.on)
        assert not isinstance(builtin, CachedModel)


async def test_old_answers_are_removed(
    cached: Callable[..., CachedModel], own_database: Database
) -> None:
    model = Slow()
    for _ in range(3):
        await cached(model).complete(question())
    async with own_database.session() as session:
        old = func.clock_timestamp() - timedelta(days=31)
        await session.execute(update(CachedResponse).values(created_at=old))
    await cached(model).complete(kept := question())
    async with own_database.session() as session:
        assert await remove_old(session, days=30, limit=2) == 2
        assert await remove_old(session, days=30, limit=10**6) >= 1
        assert await session.scalar(select(func.count()).select_from(CachedResponse)) == 1
    assert (await cached(model).complete(kept)).original is not None


def test_only_a_zero_is_zero() -> None:
    for temperature in (0, 0.0, -0.0):
        assert is_fixed({"temperature": temperature})
    for other in (False, None, "0", 0.01):
        assert not is_fixed({"temperature": other})
    assert not is_fixed({})


async def test_requests_with_tools_are_asked_each_time(
    cached: Callable[..., CachedModel],
) -> None:
    model = Slow()
    asked = question(tools=[Tool("look", "Look.", {"type": "object"})])
    answers = [await cached(model).complete(asked) for _ in range(2)]
    assert [answer.text for answer in answers] == ["answer 1", "answer 2"]
