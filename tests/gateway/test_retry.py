import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from assay.core.config import Settings
from assay.gateway.errors import (
    MalformedResponse,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    RequestRefused,
)
from assay.gateway.retry import RetryingModel, RetryPolicy
from assay.gateway.service import Gateway
from assay.gateway.types import Model, ModelRequest, ModelResponse, TextDelta
from assay.testing.scripted_model import ScriptedModelServer

Ask = Callable[[str], ModelRequest]
Scripted = Callable[..., Awaitable[tuple[Model, ScriptedModelServer]]]
Fake = Callable[..., Any]

QUICK = RetryPolicy(attempts=4, base=0.001, longest=0.002, patience=1.0)


@pytest.mark.parametrize("error", [ModelUnavailable, ModelTimeout, MalformedResponse, RateLimited])
async def test_transient_errors_are_tried_again(
    fake: Fake, ask: Ask, error: type[ModelError]
) -> None:
    model = RetryingModel(fake([error("no"), error("no"), "yes"]), QUICK)
    response = await model.complete(ask("x"))
    assert (response.text, response.attempts) == ("yes", 3)


async def test_other_errors_are_final(fake: Fake, ask: Ask) -> None:
    inner = fake([RequestRefused("no"), "yes"])
    with pytest.raises(RequestRefused, match=r"^no$"):
        await RetryingModel(inner, QUICK).complete(ask("x"))
    assert len(inner.asked) == 1


async def test_giving_up_raises_the_last_error_with_the_attempts(fake: Fake, ask: Ask) -> None:
    errors = [ModelUnavailable(f"no {number}") for number in range(1, 9)]
    with pytest.raises(ModelUnavailable, match=r"no 4 \(given up after 4 attempts\)") as raised:
        await RetryingModel(fake(errors), QUICK).complete(ask("x"))
    assert raised.value.attempts == 4


async def test_rate_limits_do_not_use_attempts_up(fake: Fake, ask: Ask) -> None:
    model = RetryingModel(fake([*[RateLimited("slow")] * 30, "yes"]), QUICK)
    assert (await model.complete(ask("x"))).attempts == 31


async def test_patience_ends_a_rate_limit(fake: Fake, ask: Ask) -> None:
    policy = RetryPolicy(base=0.01, factor=1.0, patience=0.05)
    with pytest.raises(RateLimited) as raised:
        await RetryingModel(fake([RateLimited("slow")] * 99), policy).complete(ask("x"))
    assert 5 <= raised.value.attempts <= 11


async def test_a_wait_beyond_patience_is_not_begun(fake: Fake, ask: Ask) -> None:
    started = time.monotonic()
    inner = fake([RateLimited("slow", retry_after=60.0), "yes"])
    with pytest.raises(RateLimited) as raised:
        await RetryingModel(inner, QUICK).complete(ask("x"))
    assert raised.value.retry_after == 60.0
    assert time.monotonic() - started < 1


async def test_the_provider_says_how_long_to_wait(fake: Fake, ask: Ask) -> None:
    started = time.monotonic()
    inner = fake([ModelUnavailable("later", retry_after=0.1), "yes"])
    await RetryingModel(inner, QUICK).complete(ask("x"))
    assert time.monotonic() - started >= 0.099


async def test_waits_grow_and_differ(fake: Fake, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("assay.gateway.retry.asyncio.sleep", sleep)
    policy = RetryPolicy(attempts=6, base=1.0, factor=2.0, longest=5.0)
    for _ in range(20):
        with pytest.raises(ModelUnavailable):
            await RetryingModel(fake([ModelUnavailable("no")] * 6), policy).complete(ask("x"))
    for number, most in enumerate([1.0, 2.0, 4.0, 5.0, 5.0]):
        those = waits[number::5]
        assert all(most / 2 <= wait <= most for wait in those)
        assert len(set(those)) == 20


async def test_a_stream_is_tried_again_until_its_first_piece(fake: Fake, ask: Ask) -> None:
    inner = fake([ModelUnavailable("no"), "one two"])
    *pieces, last = [part async for part in RetryingModel(inner, QUICK).stream(ask("x"))]
    assert pieces == [TextDelta("one"), TextDelta("two")]
    assert isinstance(last, ModelResponse)
    assert last.attempts == 2


async def test_a_stream_that_breaks_in_the_middle_is_final(fake: Fake, ask: Ask) -> None:
    inner = fake(["one two", ModelUnavailable("broken off"), "again"])
    parts = RetryingModel(inner, QUICK).stream(ask("x"))
    assert await anext(parts) == TextDelta("one")
    assert await anext(parts) == TextDelta("two")
    with pytest.raises(ModelUnavailable, match="broken off"):
        await anext(parts)
    assert len(inner.asked) == 1


@pytest.fixture
async def impatient(settings: Settings) -> AsyncIterator[Gateway]:
    async with Gateway(settings, retry=QUICK) as gateway:
        yield gateway


async def test_over_the_wire_the_server_is_asked_as_often_as_the_policy_says(
    impatient: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    async with ScriptedModelServer(rate_500=1) as server:
        model = impatient.model(f"{provider(base_url=server.base_url)}/m")
        with pytest.raises(ModelUnavailable, match="given up after 4 attempts"):
            await model.complete(ask("x"))
        assert server.counters.requests == 4
