"""Sandboxes from their making to their end, with real providers behind them."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.agents.sandboxes.conftest import make_sandboxes
from tests.agents.sandboxes.providers.e2b.account import E2B
from tests.agents.sandboxes.world import Desk

from assay.agents.agents.models import Agent
from assay.agents.git.models import GitOperation, OperationType
from assay.agents.sandboxes.lifecycle import SLACK_SECONDS, Sandboxes, limits_of
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.sandboxes.providers.types import (
    Command,
    SandboxGone,
    SandboxLimits,
    SandboxUnreachable,
    SandboxUnusable,
)
from assay.core.config import Settings
from assay.core.database import Database

LIMITS = SandboxLimits(seconds=1000.0, memory_bytes=256 * 1024**2, processes=64)
HELLO = Command(("echo", "hello"))


async def begun(desk: Desk) -> Sandbox:
    """The row of a sandbox that is about to be made."""
    async with asyncio.timeout(20):
        while not (rows := await desk.rows()):
            await asyncio.sleep(0.005)
    assert rows[0].status is SandboxStatus.creating
    return rows[0]


def test_limits_are_those_of_the_installation_and_of_the_agent(settings: Settings) -> None:
    changed = settings.model_copy(
        update={"sandbox_processes": 33, "sandbox_network": ("pypi.org",)}
    )
    limits = limits_of(changed, Agent(max_seconds=50))
    assert limits.processes == 33
    assert limits.network == ("pypi.org",)
    assert limits.memory_bytes == settings.sandbox_memory_bytes
    assert limits.seconds == 50 + SLACK_SECONDS


@pytest.mark.parametrize("provider", ["local", "e2b"])
async def test_a_sandbox_has_a_row_from_its_making_to_its_end(
    own_database: Database, sandboxes: Sandboxes, provider: str
) -> None:
    desk = await Desk.make(own_database, provider)
    sandbox = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    assert (await sandbox.run(HELLO)).output == b"hello\n"
    [row] = await desk.rows()
    assert (row.id, row.status, row.provider) == (sandbox.id, SandboxStatus.running, provider)
    assert (row.repo_url, row.branch_name) == (desk.task.repo_url, desk.task.git_branch)
    assert row.agent_id == desk.agent.id
    assert (row.place is None) == (provider == "e2b")
    assert 900 < await desk.seconds_left() <= 1000
    assert await desk.agents_sandbox() == sandbox.id

    await sandboxes.destroy(own_database, sandbox.id)
    await sandboxes.destroy(own_database, sandbox.id)
    [row] = await desk.rows()
    assert row.status is SandboxStatus.destroyed
    assert row.destroyed_at is not None
    assert await desk.agents_sandbox() is None
    assert await sandboxes.provider(provider).labels() == {}
    told = ["sandbox.creating", "sandbox.running", "sandbox.destroyed"]
    assert await desk.told() == told


async def test_what_was_done_with_git_stays_with_a_sandbox_that_gets_its_id(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    async with e2b.making:
        making = asyncio.create_task(sandboxes.make(own_database, desk.task, desk.agent, LIMITS))
        early = await begun(desk)
        operation = GitOperation(
            task_id=desk.task.id, sandbox_id=early.id, operation_type=OperationType.clone
        )
        async with own_database.session() as session:
            session.add(operation)
    sandbox = await making
    async with own_database.reading() as session:
        found = await session.scalar(select(GitOperation.sandbox_id))
    assert found == sandbox.id != early.id


async def test_what_cannot_be_made_says_why(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    e2b.refusal = 400, "Timeout is longer than the plan allows"
    with pytest.raises(SandboxUnusable, match="longer than the plan"):
        await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    [row] = await desk.rows()
    assert row.status is SandboxStatus.failed
    assert "longer than the plan" in (row.error or "")

    desk.agent.provider = "moon"
    with pytest.raises(SandboxUnusable, match="'moon'; there is local, e2b"):
        await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)


async def test_one_that_was_made_by_a_worker_that_died_is_taken_up(
    own_database: Database, sandboxes: Sandboxes, desk: Desk, e2b: E2B
) -> None:
    async with own_database.session() as session:
        session.add(
            Sandbox(
                id="row-1",
                agent_id=desk.agent.id,
                task_id=desk.task.id,
                provider="e2b",
                expires_at=desk.task.created_at,
            )
        )
    made = await sandboxes.provider("e2b").create(sandboxes.label("row-1"), LIMITS)
    sandbox = await sandboxes.reopen(own_database, desk.task, LIMITS)
    assert sandbox.id == made.id
    assert list(e2b.sandboxes) == [made.id]
    assert [row.id for row in await desk.rows()] == [made.id]
    assert await desk.seconds_left() > 900


@pytest.mark.parametrize("provider", ["local", "e2b"])
async def test_taking_one_up_ends_what_still_runs_in_it(
    own_database: Database, sandboxes: Sandboxes, provider: str
) -> None:
    desk = await Desk.make(own_database, provider)
    left = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    began = asyncio.Event()

    async def take(_piece: bytes) -> None:
        began.set()

    script = "echo began; setsid sleep 1006.5 & sleep 1006.5"
    running = asyncio.create_task(left.run(Command(("bash", "-c", script)), take))
    await asyncio.wait_for(began.wait(), 20)
    sandbox = await sandboxes.reopen(own_database, desk.task, LIMITS)
    look = "grep -ls '1006[.]5' /proc/[0-9]*/cmdline"
    assert (await sandbox.run(Command(("bash", "-c", look)))).output == b""
    ran = await asyncio.wait_for(running, 20)
    assert (ran.exit_code != 0, ran.output) == (True, b"began\n")
    assert (await sandbox.run(HELLO)).output == b"hello\n"
    await sandboxes.destroy(own_database, sandbox.id)


async def test_two_workers_that_take_it_up_have_the_same_one(
    own_database: Database, sandboxes: Sandboxes, desk: Desk, e2b: E2B
) -> None:
    async with own_database.session() as session:
        session.add(
            Sandbox(
                id="row-1", task_id=desk.task.id, provider="e2b", expires_at=desk.task.created_at
            )
        )
    again = (sandboxes.reopen(own_database, desk.task, LIMITS) for _ in range(3))
    opened = await asyncio.gather(*again)
    assert {each.id for each in opened} == set(e2b.sandboxes)
    assert await desk.states() == [SandboxStatus.running]


async def test_one_that_is_destroyed_while_it_is_made_is_not_left(
    own_database: Database, sandboxes: Sandboxes, desk: Desk, e2b: E2B
) -> None:
    async with e2b.making:
        making = asyncio.create_task(sandboxes.make(own_database, desk.task, desk.agent, LIMITS))
        early = await begun(desk)
        await sandboxes.destroy(own_database, early.id)
        assert await desk.states() == [SandboxStatus.destroyed]
    with pytest.raises(SandboxGone):
        await making
    assert not e2b.sandboxes


@pytest.mark.parametrize("provider", ["local", "e2b"])
async def test_a_paused_sandbox_is_kept_and_goes_on(
    own_database: Database, sandboxes: Sandboxes, tmp_path: Path, provider: str
) -> None:
    desk = await Desk.make(own_database, provider)
    sandbox = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    await sandbox.write_file("/work/file", b"kept")
    await sandboxes.pause(own_database, sandbox.id)
    await sandboxes.pause(own_database, sandbox.id)
    assert await desk.states() == [SandboxStatus.paused]
    assert await desk.seconds_left() > 70 * 3600

    restarted = await make_sandboxes(own_database, tmp_path / "home")
    again = await restarted.reopen(own_database, desk.task, LIMITS)
    assert again.id == sandbox.id
    assert await again.read_file("/work/file") == b"kept"
    assert await desk.states() == [SandboxStatus.running]
    assert await desk.seconds_left() <= 1000
    await restarted.destroy(own_database, sandbox.id)


async def test_one_that_vanished_is_noticed_and_made_anew(
    own_database: Database, sandboxes: Sandboxes, desk: Desk, e2b: E2B
) -> None:
    first = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    await e2b.vanish(first.id)
    with pytest.raises(SandboxGone, match=first.id):
        await sandboxes.reopen(own_database, desk.task, LIMITS)
    with pytest.raises(SandboxGone, match="has no sandbox"):
        await sandboxes.reopen(own_database, desk.task, LIMITS)
    second = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    assert await desk.states() == [SandboxStatus.failed, SandboxStatus.running]
    await e2b.vanish(second.id)
    await sandboxes.pause(own_database, second.id)
    assert await desk.states() == [SandboxStatus.failed, SandboxStatus.failed]


async def test_what_does_not_answer_keeps_its_row(
    own_database: Database, sandboxes: Sandboxes, desk: Desk, e2b: E2B
) -> None:
    sandbox = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    e2b.refusal = 500, "oh dear"
    for call in (
        sandboxes.reopen(own_database, desk.task, LIMITS),
        sandboxes.pause(own_database, sandbox.id),
        sandboxes.destroy(own_database, sandbox.id),
    ):
        with pytest.raises(SandboxUnreachable, match="oh dear"):
            await call
    assert await desk.states() == [SandboxStatus.running]


async def test_one_on_another_machine_counts_as_gone(
    own_database: Database, sandboxes: Sandboxes, tmp_path: Path
) -> None:
    desk = await Desk.make(own_database, "local")
    sandbox = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    elsewhere = await make_sandboxes(own_database, tmp_path / "elsewhere")
    await elsewhere.destroy(own_database, sandbox.id)
    assert await desk.states() == [SandboxStatus.running]
    assert await desk.seconds_left() <= 0
    with pytest.raises(SandboxGone, match="another machine"):
        await elsewhere.reopen(own_database, desk.task, LIMITS)
    assert await desk.states() == [SandboxStatus.failed]
    await sandboxes.provider("local").destroy(sandbox.id)
