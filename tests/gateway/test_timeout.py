import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from assay.gateway.errors import ModelTimeout
from assay.gateway.service import Gateway
from assay.gateway.timeout import TimedModel
from assay.gateway.types import ModelRequest, ModelResponse, StreamPart, TextDelta, Usage
from assay.testing.scripted_model import ScriptedModelServer

Ask = Callable[[str], ModelRequest]


class SlowModel:
    """Waits before the answer, and before each part of a stream."""

    name = "slow/model"

    def __init__(self, *waits: float, error: Exception | None = None) -> None:
        self._waits = waits
        self._error = error

    async def complete(self, request: ModelRequest) -> ModelResponse:
        await asyncio.sleep(self._waits[0])
        if self._error:
            raise self._error
        return ModelResponse("done", Usage(), 1.0)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        for wait in self._waits:
            await asyncio.sleep(wait)
            yield TextDelta("piece")


async def test_a_slow_answer_is_given_up(ask: Ask) -> None:
    started = time.monotonic()
    with pytest.raises(ModelTimeout, match=r"slow/model did not answer within 0\.05 s"):
        await TimedModel(SlowModel(30), 0.05).complete(ask("x"))
    assert time.monotonic() - started < 5


async def test_a_quick_answer_passes(ask: Ask) -> None:
    assert (await TimedModel(SlowModel(0), 5).complete(ask("x"))).text == "done"


async def test_a_timeout_of_somebody_else_is_left_alone(ask: Ask) -> None:
    with pytest.raises(TimeoutError) as raised:
        await TimedModel(SlowModel(0, error=TimeoutError("another's")), 5).complete(ask("x"))
    assert not isinstance(raised.value, ModelTimeout)


async def test_a_cancel_stays_a_cancel(ask: Ask) -> None:
    task = asyncio.create_task(TimedModel(SlowModel(30), 20).complete(ask("x")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_limit_of_a_stream_is_for_each_piece(ask: Ask) -> None:
    steady = TimedModel(SlowModel(0.06, 0.06, 0.06), 0.15)
    assert len([part async for part in steady.stream(ask("x"))]) == 3
    stalled = TimedModel(SlowModel(0, 30), 0.05).stream(ask("x"))
    await anext(stalled)
    with pytest.raises(ModelTimeout, match=r"sent nothing more within 0\.05 s"):
        await anext(stalled)


async def test_each_attempt_has_the_providers_time_limit(
    gateway: Gateway, provider: Callable[..., Any], ask: Ask
) -> None:
    async with ScriptedModelServer(latency=30) as server:
        model = gateway.model(f"{provider(base_url=server.base_url, timeout=0.05)}/m")
        with pytest.raises(ModelTimeout, match="given up after 6 attempts"):
            await model.complete(ask("x"))
        assert server.counters.requests == 6
