import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from assay.gateway.errors import ModelTimeout, ModelUnavailable
from assay.gateway.service import Gateway
from assay.gateway.slots import Slots
from assay.gateway.types import Model, ModelRequest, ModelResponse
from assay.testing.scripted_model import ScriptedModelServer

Ask = Callable[[str], ModelRequest]
Scripted = Callable[..., Awaitable[tuple[Model, ScriptedModelServer]]]


async def ask_all(model: Model, ask: Ask, calls: int) -> list[ModelResponse]:
    return await asyncio.gather(*(model.complete(ask(f"m{number}")) for number in range(calls)))


async def test_the_provider_never_sees_more_than_its_limit_whatever_fails(
    scripted: Scripted, ask: Ask
) -> None:
    model, server = await scripted(
        {"max_concurrency": 8},
        latency=(0.01, 0.01),
        rate_500=0.05,
        rate_429=0.05,
        rate_broken=0.05,
        rate_malformed=0.05,
        seed=11,
    )
    answers = await ask_all(model, ask, 300)
    assert [answer.text for answer in answers] == [f"m{number}" for number in range(300)]
    assert server.counters.most_in_flight == 8
    assert set(server.counters.statuses) == {"200", "429", "500", "broken", "malformed"}
    assert sum(answer.attempts for answer in answers) == server.counters.requests


async def test_all_models_of_a_provider_share_its_limit(
    gateway: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    async with ScriptedModelServer(latency=0.02) as server:
        name = provider(base_url=server.base_url, max_concurrency=3)
        models = [gateway.model(f"{name}/model-{number}") for number in range(4)]
        await asyncio.gather(*(ask_all(model, ask, 4) for model in models))
        assert server.counters.most_in_flight == 3


async def test_a_callers_own_slots_hold_over_all_its_models(
    gateway: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    slots = Slots(2)
    async with ScriptedModelServer(latency=0.02) as server:
        name = provider(base_url=server.base_url)
        models = [gateway.model(f"{name}/model-{number}", slots) for number in range(2)]
        free = gateway.model(f"{name}/free")
        await asyncio.gather(*(ask_all(model, ask, 4) for model in models))
        assert server.counters.most_in_flight == 2
        await ask_all(free, ask, 10)
        assert server.counters.most_in_flight == 10
    assert slots.in_flight == 0


async def test_those_who_wait_for_their_own_slots_do_not_block_others(
    gateway: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    async with ScriptedModelServer() as server:
        name = provider(base_url=server.base_url, max_concurrency=2)
        stuck = gateway.model(f"{name}/stuck", Slots(0))
        waiting = [asyncio.create_task(stuck.complete(ask("x"))) for _ in range(5)]
        await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            assert (await gateway.model(f"{name}/free").complete(ask("y"))).text == "y"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_nothing_is_asked_before_retry_after_is_over(scripted: Scripted, ask: Ask) -> None:
    model, server = await scripted(rate_429=1.0, retry_after=0.4)
    first = asyncio.create_task(model.complete(ask("first")))
    async with asyncio.timeout(5):
        while not server.counters.statuses["429"]:
            await asyncio.sleep(0.005)
    told = time.monotonic()
    server.rate_429 = 0.0
    second = asyncio.create_task(model.complete(ask("second")))
    await asyncio.sleep(0.25)
    assert server.counters.requests == 1
    answers = await asyncio.gather(first, second)
    assert time.monotonic() - told >= 0.38
    assert [answer.attempts for answer in answers] == [2, 1]


async def test_requests_a_minute_hold_over_the_wire(scripted: Scripted, ask: Ask) -> None:
    model, _ = await scripted({"rpm": 1200})
    started = time.monotonic()
    await ask_all(model, ask, 12)
    assert 0.4 < time.monotonic() - started < 3


async def test_slots_come_back_after_errors_timeouts_and_cancels(
    scripted: Scripted, gateway: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    slots = Slots(1)
    async with ScriptedModelServer(rate_500=1) as server:
        name = provider(base_url=server.base_url, max_concurrency=1, timeout=0.05)
        model = gateway.model(f"{name}/m", slots)
        with pytest.raises(ModelUnavailable):
            await model.complete(ask("x"))
        server.rate_500, server.latency = 0.0, 30.0
        with pytest.raises(ModelTimeout):
            await model.complete(ask("x"))
        task = asyncio.create_task(model.complete(ask("x")))
        await asyncio.sleep(0.02)
        task.cancel()
        server.latency = 0.0
        async with asyncio.timeout(5):
            assert (await model.complete(ask("free again"))).text == "free again"
    assert (slots.in_flight, slots.waiting) == (0, 0)


async def test_a_stream_left_early_gives_its_slots_back_at_once(
    gateway: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    slots = Slots(1)
    async with ScriptedModelServer(answer="one two three") as server:
        name = provider(base_url=server.base_url, max_concurrency=1)
        model = gateway.model(f"{name}/m", slots)
        async with aclosing(model.stream(ask("x"))) as parts:
            await anext(parts)
            assert slots.in_flight == 1
        assert slots.in_flight == 0
        async with asyncio.timeout(5):
            assert (await model.complete(ask("x"))).text == "one two three"
