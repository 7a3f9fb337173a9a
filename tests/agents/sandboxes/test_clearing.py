"""Housekeeping: what nobody needs is destroyed, and nothing else."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete, func
from structlog.testing import capture_logs
from tests.agents.sandboxes.conftest import make_sandboxes
from tests.agents.sandboxes.providers.e2b.account import E2B
from tests.agents.sandboxes.world import Desk

from assay.agents.sandboxes.clearing import clear_lost, keep_sandboxes
from assay.agents.sandboxes.lifecycle import Sandboxes
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.sandboxes.providers.types import SandboxLimits
from assay.agents.tasks.models import Task, TaskStatus
from assay.core.database import Database

LIMITS = SandboxLimits(seconds=1000.0)
LONG_AGO = func.clock_timestamp() - func.make_interval(0, 0, 0, 2)


@pytest.mark.parametrize("status", list(TaskStatus))
async def test_sandboxes_of_tasks_that_have_ended_are_destroyed(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk, status: TaskStatus
) -> None:
    await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    assert await clear_lost(sandboxes, own_database) == 0
    await desk.set_task(status)
    ended = status in (TaskStatus.completed, TaskStatus.failed, TaskStatus.cancelled)
    assert await clear_lost(sandboxes, own_database) == int(ended)
    assert len(e2b.sandboxes) == int(not ended)
    expected = SandboxStatus.destroyed if ended else SandboxStatus.running
    assert await desk.states() == [expected]
    assert await clear_lost(sandboxes, own_database) == 0


@pytest.mark.parametrize("provider", ["local", "e2b"])
async def test_those_past_their_time_are_destroyed_whatever_they_are_at(
    own_database: Database, sandboxes: Sandboxes, provider: str
) -> None:
    desk = await Desk.make(own_database, provider)
    await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    await desk.set_rows(expires_at=func.clock_timestamp())
    assert await clear_lost(sandboxes, own_database) == 1
    assert await desk.states() == [SandboxStatus.destroyed]
    assert await sandboxes.provider(provider).labels() == {}


async def test_that_of_a_deleted_task_is_destroyed(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    async with own_database.session() as session:
        await session.execute(delete(Task))
    assert await clear_lost(sandboxes, own_database) == 1
    assert not e2b.sandboxes


@pytest.mark.parametrize("provider", ["local", "e2b"])
async def test_one_whose_row_does_not_know_it_is_destroyed(
    own_database: Database, sandboxes: Sandboxes, provider: str
) -> None:
    there = sandboxes.provider(provider)
    await there.create(sandboxes.label("lost"), LIMITS)
    assert await clear_lost(sandboxes, own_database) == 1
    assert await there.labels() == {}


async def test_those_of_other_installations_are_left_alone(
    own_database: Database, database: Database, sandboxes: Sandboxes, tmp_path: Path, e2b: E2B
) -> None:
    other = await make_sandboxes(database, tmp_path / "home")
    assert other.prefix != sandboxes.prefix
    for provider in ("local", "e2b"):
        await other.provider(provider).create(other.label("theirs"), LIMITS)
    await e2b.make({"templateID": "base", "timeout": 60}, None)
    assert await clear_lost(sandboxes, own_database) == 0
    assert len(e2b.sandboxes) == 2
    assert list(await other.provider("local").labels()) == [other.label("theirs")]


async def test_one_that_is_still_being_made_is_left_until_nobody_can_be_at_it(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    async with own_database.session() as session:
        session.add(
            Sandbox(
                id="row-1",
                agent_id=desk.agent.id,
                task_id=desk.task.id,
                provider="e2b",
                expires_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 1),
            )
        )
    await sandboxes.provider("e2b").create(sandboxes.label("row-1"), LIMITS)
    assert await clear_lost(sandboxes, own_database) == 0
    assert len(e2b.sandboxes) == 1
    await desk.set_rows(created_at=LONG_AGO)
    assert await clear_lost(sandboxes, own_database) == 1
    assert not e2b.sandboxes
    assert await desk.states() == [SandboxStatus.destroyed]


async def test_the_row_of_one_that_vanished_says_so(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    sandbox = await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    await e2b.vanish(sandbox.id)
    assert await clear_lost(sandboxes, own_database) == 1
    [row] = await desk.rows()
    assert row.status is SandboxStatus.failed
    assert row.error == "The sandbox is not there any more"


async def test_only_the_machine_that_has_it_decides(
    own_database: Database, sandboxes: Sandboxes, tmp_path: Path
) -> None:
    desk = await Desk.make(own_database, "local")
    await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    elsewhere = await make_sandboxes(own_database, tmp_path / "elsewhere")
    await desk.set_task(TaskStatus.completed)
    assert await clear_lost(elsewhere, own_database) == 0
    assert await desk.states() == [SandboxStatus.running]
    # Its machine does not come back.
    await desk.set_rows(expires_at=func.clock_timestamp() - func.make_interval(0, 0, 0, 2))
    assert await clear_lost(elsewhere, own_database) == 1
    assert await desk.states() == [SandboxStatus.failed]
    # It does after all.
    assert await clear_lost(sandboxes, own_database) == 1
    assert await sandboxes.provider("local").labels() == {}


async def test_a_provider_that_does_not_answer_keeps_nobody_else_waiting(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    at_home = await Desk.make(own_database, "local", status=TaskStatus.failed)
    await sandboxes.make(own_database, at_home.task, at_home.agent, LIMITS)
    await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    await desk.set_task(TaskStatus.failed)
    e2b.refusal = 500, "oh dear"
    with capture_logs() as logs:
        assert await clear_lost(sandboxes, own_database) == 1
    assert "oh dear" in str(logs)
    assert await at_home.states() == [SandboxStatus.destroyed]
    assert await desk.states() == [SandboxStatus.running]
    e2b.refusal = None
    assert await clear_lost(sandboxes, own_database) == 1


async def test_several_workers_may_look_at_once(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    await sandboxes.provider("e2b").create(sandboxes.label("lost"), LIMITS)
    await desk.set_task(TaskStatus.cancelled)
    await asyncio.gather(*(clear_lost(sandboxes, own_database) for _ in range(4)))
    assert not e2b.sandboxes
    assert await desk.states() == [SandboxStatus.destroyed]
    assert (await desk.told()).count("sandbox.destroyed") == 1


async def test_a_worker_clears_up_by_itself(
    own_database: Database, sandboxes: Sandboxes, e2b: E2B, desk: Desk
) -> None:
    await sandboxes.make(own_database, desk.task, desk.agent, LIMITS)
    await desk.set_task(TaskStatus.completed)
    async with keep_sandboxes(sandboxes, own_database), asyncio.timeout(20):
        while await desk.states() != [SandboxStatus.destroyed]:
            await asyncio.sleep(0.02)
    assert not e2b.sandboxes
