"""Limits held over several processes, here several holders on one database."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from assay.core.database import Database
from assay.gateway.leases import Lease, SharedLimits, fair_shares
from assay.gateway.slots import Slots

HOLDERS = [uuid.UUID(int=number) for number in range(8)]


@given(
    st.integers(0, 500),
    st.dictionaries(st.sampled_from(HOLDERS), st.integers(0, 500), min_size=1),
)
def test_shares_add_up_and_nobody_lacks_while_another_has_more_than_it_wants(
    limit: int, wanted: dict[uuid.UUID, int]
) -> None:
    shares = fair_shares(limit, wanted)
    assert sum(shares.values()) == limit
    assert all(share >= 0 for share in shares.values())
    short = [holder for holder in wanted if shares[holder] < wanted[holder]]
    for holder in short:
        assert all(shares[other] <= shares[holder] + 1 for other in wanted)


@given(st.integers(1, 500), st.integers(0, 500))
def test_a_lone_holder_has_the_whole_limit(limit: int, wanted: int) -> None:
    assert fair_shares(limit, {HOLDERS[0]: wanted}) == {HOLDERS[0]: limit}


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def granted(database: Database, scope: str) -> int:
    async with database.session() as session:
        total = await session.scalar(
            select(func.coalesce(func.sum(Lease.granted), 0)).where(Lease.scope == scope)
        )
    return int(total or 0)


async def test_a_lone_process_gets_the_whole_limit_at_once(own_database: Database) -> None:
    async with SharedLimits(own_database) as limits:
        slots = limits.slots("provider:alone", 10)
        async with asyncio.timeout(2):
            await slots.acquire()
        await until(lambda: slots.limit == 10)
        assert slots.share == 1.0
        slots.release()
    assert await granted(own_database, "provider:alone") == 0


async def test_processes_share_a_limit_and_never_exceed_it_together(
    own_database: Database,
) -> None:
    limit, most, now = 12, 0, 0
    calls = [0, 0, 0]

    async def ask(holder: int, slots: Slots) -> None:
        nonlocal most, now
        while calls[holder] < 150:
            calls[holder] += 1
            async with slots:
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.02)
                now -= 1

    async with AsyncExitStack() as stack:
        tasks = []
        shared: list[Slots] = []
        for holder in range(3):
            limits = await stack.enter_async_context(SharedLimits(own_database))
            slots = limits.slots("provider:shared", limit)
            shared.append(slots)
            tasks += [asyncio.create_task(ask(holder, slots)) for _ in range(limit)]
            await asyncio.sleep(0.15)
        await until(lambda: [slots.limit for slots in shared] == [4, 4, 4])
        await asyncio.gather(*tasks)
    assert most == limit


async def test_the_part_of_a_dead_process_falls_back_to_the_others(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.gateway.leases.LEASE_SECONDS", 1.0)
    dead, alive = SharedLimits(own_database), SharedLimits(own_database)
    await dead.__aenter__()
    async with alive:
        lost = dead.slots("provider:dying", 8)
        for _ in range(8):
            await lost.acquire()
        slots = alive.slots("provider:dying", 8)
        waiter = asyncio.create_task(slots.acquire())
        await asyncio.sleep(0.5)
        assert not waiter.done()
        assert dead._task is not None
        dead._task.cancel()  # as silent as a killed process
        async with asyncio.timeout(5):
            await waiter
        await until(lambda: slots.limit == 8)


async def test_without_the_database_nobody_starts_once_the_lease_is_over(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.gateway.leases.LEASE_SECONDS", 2.0)
    async with SharedLimits(own_database) as limits:
        slots = limits.slots("provider:cut", 4)
        async with asyncio.timeout(2):
            await slots.acquire()

        with monkeypatch.context() as cut:
            cut.setattr(own_database, "session", _Unreachable)
            await until(lambda: slots.limit == 0)
        await until(lambda: slots.limit == 4)


class _Unreachable:
    async def __aenter__(self) -> None:
        raise ConnectionRefusedError

    async def __aexit__(self, *_details: object) -> None:
        return None
