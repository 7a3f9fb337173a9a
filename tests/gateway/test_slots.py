import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.gateway.slots import Slots


async def settle() -> None:
    """Let everything that can run run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_the_limit_get_a_slot_and_the_rest_wait_in_line() -> None:
    slots = Slots(2)
    order: list[int] = []

    async def enter(number: int) -> None:
        await slots.acquire()
        order.append(number)

    tasks = [asyncio.create_task(enter(number)) for number in range(5)]
    await settle()
    assert order == [0, 1]
    assert (slots.in_flight, slots.waiting) == (2, 3)
    for _ in range(3):
        slots.release()
        await settle()
    assert order == [0, 1, 2, 3, 4]
    await asyncio.gather(*tasks)


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    slots = Slots(1)
    await slots.acquire()
    waiter = asyncio.create_task(slots.acquire())
    await settle()
    slots.release()  # handed over, although the waiter has not run yet
    assert not slots.try_acquire()
    await waiter
    assert slots.in_flight == 1


async def test_the_lower_ceiling_counts() -> None:
    slots = Slots(8)
    slots.cap = 3
    assert slots.limit == 3
    slots.allowance = 2
    assert slots.limit == 2
    slots.cap = None
    assert slots.limit == 2
    slots.allowance = 5
    assert (slots.limit, slots.allowance, slots.cap) == (5, 5, None)


async def test_zero_lets_nobody_start_until_raised() -> None:
    slots = Slots(0)
    waiters = [asyncio.create_task(slots.acquire()) for _ in range(3)]
    await settle()
    assert slots.in_flight == 0
    slots.allowance = 2
    await settle()
    assert (slots.in_flight, slots.waiting) == (2, 1)
    slots.allowance = 3
    await asyncio.gather(*waiters)


async def test_lowering_stops_nobody_but_lets_nobody_in() -> None:
    slots = Slots(3)
    for _ in range(3):
        await slots.acquire()
    slots.allowance = 1
    waiter = asyncio.create_task(slots.acquire())
    for _ in range(2):
        slots.release()
        await settle()
        assert not waiter.done()
    slots.release()
    await waiter
    assert slots.in_flight == 1


async def test_one_who_leaves_the_line_is_passed_over() -> None:
    slots = Slots(1)
    await slots.acquire()
    first = asyncio.create_task(slots.acquire())
    second = asyncio.create_task(slots.acquire())
    await settle()
    first.cancel()
    slots.release()
    await second
    assert (slots.in_flight, slots.waiting) == (1, 0)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_one_cancelled_with_the_slot_in_hand_passes_it_on() -> None:
    slots = Slots(1)
    await slots.acquire()
    first = asyncio.create_task(slots.acquire())
    second = asyncio.create_task(slots.acquire())
    await settle()
    slots.release()
    first.cancel()
    await second
    assert first.cancelled()
    assert (slots.in_flight, slots.waiting) == (1, 0)


async def test_the_context_gives_its_slot_back_on_errors_too() -> None:
    slots = Slots(1)
    with pytest.raises(LookupError):
        async with slots:
            assert slots.in_flight == 1
            raise LookupError
    assert slots.in_flight == 0


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Slots(-1)
    slots = Slots(1)
    with pytest.raises(ValueError, match="0 or more"):
        slots.allowance = -1
    with pytest.raises(ValueError, match="0 or more"):
        slots.cap = -1


@given(st.integers(), st.integers(1, 60))
def test_whatever_happens_the_limit_holds_and_nobody_is_forgotten(seed: int, steps: int) -> None:
    """Random starts, ends, cancels and moves of both ceilings."""
    dice = random.Random(seed)
    moves = ["start", "start", "end", "cancel", "allowance", "cap", "wait"]

    async def play() -> None:
        slots = Slots(dice.randint(0, 4))
        inside = 0
        ends: list[asyncio.Event] = []
        tasks: list[asyncio.Task[None]] = []

        async def visit(end: asyncio.Event) -> None:
            nonlocal inside
            async with slots:
                inside += 1
                try:
                    await end.wait()
                finally:
                    inside -= 1

        for _ in range(steps):
            before = slots.in_flight
            move = dice.choice(moves)
            if move == "start":
                ends.append(asyncio.Event())
                tasks.append(asyncio.create_task(visit(ends[-1])))
            elif move == "end" and ends:
                dice.choice(ends).set()
            elif move == "cancel" and tasks:
                dice.choice(tasks).cancel()
            elif move == "allowance":
                slots.allowance = dice.randint(0, 4)
            elif move == "cap":
                slots.cap = dice.choice([None, 0, 1, 2, 5])
            else:
                await settle()
            # Only a lowered ceiling leaves more in flight than it allows, and then nobody starts.
            assert slots.in_flight <= max(before, slots.limit)
            assert inside <= slots.in_flight
        slots.cap = None
        slots.allowance = len(tasks)
        for end in ends:
            end.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (slots.in_flight, slots.waiting, inside) == (0, 0, 0)

    asyncio.run(play())
