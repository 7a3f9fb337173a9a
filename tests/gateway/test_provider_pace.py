import asyncio
from collections.abc import Callable

import pytest

from assay.gateway.errors import ModelUnavailable, RateLimited
from assay.gateway.provider_pace import ProviderPace
from assay.gateway.slots import Slots
from assay.gateway.types import ModelRequest, ModelResponse, Usage

Ask = Callable[[str], ModelRequest]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def answer(tokens_in: int = 0, tokens_out: int = 0) -> ModelResponse:
    return ModelResponse("", Usage(tokens_in, tokens_out), 1.0)


async def test_requests_a_minute_are_kept(clock: Clock, ask: Ask) -> None:
    pace = ProviderPace("p", Slots(100), rpm=60, clock=clock, sleep=clock.sleep)
    for _ in range(31):
        await pace.enter(ask("hello"))
    assert clock.now == pytest.approx(30, abs=1)


async def test_tokens_a_minute_are_kept_by_what_answers_really_use(clock: Clock, ask: Ask) -> None:
    pace = ProviderPace("p", Slots(1000), tpm=6000, clock=clock, sleep=clock.sleep)
    for _ in range(101):
        reckoned = await pace.enter(ask("hello"))
        pace.succeeded(answer(tokens_in=20, tokens_out=40), reckoned)
    # 100 calls of 60 tokens are a minute's worth; the first guesses are corrected.
    assert clock.now == pytest.approx(60, abs=5)


async def test_the_share_of_the_slots_scales_the_rates(clock: Clock, ask: Ask) -> None:
    slots = Slots(100)
    slots.share = 0.5
    pace = ProviderPace("p", slots, rpm=60, clock=clock, sleep=clock.sleep)
    for _ in range(11):
        await pace.enter(ask("hello"))
    assert clock.now == pytest.approx(20, abs=1)


async def test_nobody_starts_before_the_time_that_the_provider_named(
    clock: Clock, ask: Ask
) -> None:
    pace = ProviderPace("p", Slots(10), clock=clock, sleep=clock.sleep)
    pace.failed(RateLimited(retry_after=5.0))
    pace.failed(ModelUnavailable(retry_after=2.0))  # the longer one holds
    await pace.enter(ask("hello"))
    assert clock.now == 5.0


async def test_a_wait_beyond_patience_fails_at_once_and_keeps_no_slot(
    clock: Clock, ask: Ask
) -> None:
    slots = Slots(10)
    pace = ProviderPace("p", slots, patience=60, clock=clock, sleep=clock.sleep)
    pace.failed(RateLimited(retry_after=3600.0))
    with pytest.raises(RateLimited, match="3600 s") as raised:
        await pace.enter(ask("hello"))
    assert raised.value.retry_after == 3600.0
    assert (clock.now, slots.in_flight) == (0.0, 0)


async def test_a_429_cuts_the_calls_in_flight_once_a_second(clock: Clock) -> None:
    slots = Slots(100)
    slots.in_flight = 100
    pace = ProviderPace("p", slots, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        pace.failed(RateLimited())
    assert slots.limit == 70
    clock.now += 1.0
    pace.failed(RateLimited())
    assert slots.limit == 49


async def test_the_cut_is_from_what_was_in_flight_and_never_below_one(clock: Clock) -> None:
    slots = Slots(10_000)
    slots.in_flight = 10
    pace = ProviderPace("p", slots, clock=clock, sleep=clock.sleep)
    pace.failed(RateLimited())
    assert slots.limit == 7
    slots.in_flight = 1
    clock.now += 1.0
    pace.failed(RateLimited())
    assert slots.limit == 1


async def test_other_errors_cut_nothing(clock: Clock) -> None:
    slots = Slots(10)
    slots.in_flight = 10
    ProviderPace("p", slots, clock=clock).failed(ModelUnavailable())
    assert slots.cap is None


async def test_successes_win_the_calls_back_until_the_cap_is_gone(clock: Clock) -> None:
    slots = Slots(64)
    slots.in_flight = 64
    pace = ProviderPace("p", slots, clock=clock)
    pace.failed(RateLimited())
    limits = []
    while slots.cap is not None:
        pace.succeeded(answer(), 0.0)
        limits.append(slots.limit)
    assert limits == sorted(limits)
    assert slots.limit == 64
    assert 200 < len(limits) < 1000  # about ten rounds of 50 calls


async def test_a_cancel_while_waiting_gives_the_slot_back(ask: Ask) -> None:
    slots = Slots(1)
    pace = ProviderPace("p", slots)
    pace.failed(RateLimited(retry_after=30.0))
    task = asyncio.create_task(pace.enter(ask("hello")))
    await asyncio.sleep(0.01)
    assert slots.in_flight == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slots.in_flight == 0
