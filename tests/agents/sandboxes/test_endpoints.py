"""Sandboxes over HTTP: who sees which, and destroying one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.agents.sandboxes.conftest import make_sandboxes
from tests.agents.sandboxes.providers.e2b.account import E2B
from tests.agents.sandboxes.world import Desk
from tests.identity.people import Installation, Person, installed

from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.sandboxes.providers.types import Command, SandboxGone, SandboxLimits
from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role
from assay.identity.audit.models import AuditEntry

URL = "/api/v1/sandboxes"
LIMITS = SandboxLimits(seconds=1000.0)


@pytest.fixture
async def there(
    settings: Settings, own_database: Database, tmp_path: Path, e2b: E2B
) -> AsyncIterator[Installation]:
    """An installation whose sandboxes at E2B are at the stand-in."""
    assert not e2b.sandboxes
    async with installed(settings, database_url=own_database.dsn) as installation:
        made = await make_sandboxes(own_database, tmp_path / "home")
        state = installation.app.state
        state.workshop = replace(state.workshop, sandboxes=made)
        yield installation


async def ids(person: Person, **filters: str) -> list[str]:
    response = await person.client.get(URL, params=filters)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()]


async def one_of(person: Person, database: Database, number: int = 1) -> Desk:
    """A task of this person with so many sandboxes, the last of which is running."""
    desk = await Desk.make(database, "local", created_by=str(person.id))
    async with database.session() as session:
        for n in range(number):
            status = SandboxStatus.running if n == number - 1 else SandboxStatus.destroyed
            session.add(
                Sandbox(
                    id=f"{desk.task.id}-{n}",
                    agent_id=desk.agent.id,
                    task_id=desk.task.id,
                    provider="local",
                    status=status,
                    expires_at=desk.task.created_at,
                )
            )
            await session.flush()
    return desk


async def test_those_of_ones_own_tasks_are_listed_newest_first(there: Installation) -> None:
    ada, bob = [await there.person(Role.editor) for _ in range(2)]
    desk = await one_of(ada, there.database, 3)
    other = await one_of(ada, there.database)
    await one_of(bob, there.database)
    mine = [row.id for row in reversed(await desk.rows())]
    [newest] = [row.id for row in await other.rows()]
    assert await ids(ada) == [newest, *mine]
    assert await ids(ada, task_id=str(desk.task.id)) == mine
    assert await ids(ada, agent_id=str(other.agent.id)) == [newest]
    assert await ids(ada, status="running") == [newest, mine[0]]
    assert len(await ids(await there.person(Role.admin))) == 5

    page = await ada.client.get(URL, params={"limit": 3})
    rest = await ada.client.get(page.links["next"]["url"])
    assert [each["id"] for each in page.json() + rest.json()] == [newest, *mine]


async def test_one_is_read_by_those_who_see_its_task(there: Installation) -> None:
    ada = await there.person(Role.editor)
    desk = await one_of(ada, there.database)
    [row] = await desk.rows()
    response = await ada.client.get(f"{URL}/{row.id}")
    assert response.status_code == 200
    shown = response.json()
    assert shown["id"] == row.id
    assert shown["task_id"] == str(desk.task.id)
    assert shown["agent_id"] == str(desk.agent.id)
    assert shown["status"] == "running"
    assert shown["provider"] == "local"
    assert shown.keys() >= {"repo_url", "branch_name", "created_at", "destroyed_at", "error"}
    assert "place" not in shown
    other = await there.person(Role.editor)
    for method in ("GET", "DELETE"):
        assert (await other.client.request(method, f"{URL}/{row.id}")).status_code == 404
    assert (await ada.client.delete(f"{URL}/nothing")).status_code == 404
    assert (await ada.client.delete(f"{URL}/..%2F..%2Fetc")).status_code == 404


@pytest.mark.parametrize("provider", ["local", "e2b"])
async def test_destroying_one_ends_what_goes_on_in_it(there: Installation, provider: str) -> None:
    ada = await there.person(Role.editor)
    desk = await Desk.make(there.database, provider, created_by=str(ada.id))
    sandboxes = there.app.state.workshop.sandboxes
    sandbox = await sandboxes.make(there.database, desk.task, desk.agent, LIMITS)
    up = asyncio.Event()

    async def take(_piece: bytes) -> None:
        up.set()

    command = Command(("bash", "-c", "echo up; sleep 100"), seconds=60.0)
    running = asyncio.create_task(sandbox.run(command, take))
    await asyncio.wait_for(up.wait(), 20)
    response = await ada.client.delete(f"{URL}/{sandbox.id}")
    assert response.status_code == 204, response.text
    with pytest.raises(SandboxGone):
        await asyncio.wait_for(running, 20)
    assert await desk.states() == [SandboxStatus.destroyed]
    assert (await ada.client.delete(f"{URL}/{sandbox.id}")).status_code == 204

    query = select(AuditEntry).where(AuditEntry.subject == sandbox.id)
    async with there.database.reading() as session:
        [entry] = await session.scalars(query)
    assert (entry.user_id, entry.action) == (str(ada.id), "sandbox.destroyed")


async def test_one_whose_provider_does_not_answer_is_not_called_destroyed(
    there: Installation, e2b: E2B
) -> None:
    ada = await there.person(Role.editor)
    desk = await Desk.make(there.database, "e2b", created_by=str(ada.id))
    sandbox = await there.app.state.workshop.sandboxes.make(
        there.database, desk.task, desk.agent, LIMITS
    )
    e2b.refusal = 500, "oh dear"
    response = await ada.client.delete(f"{URL}/{sandbox.id}")
    assert response.status_code == 503
    assert response.json()["code"] == "sandbox_unreachable"
    assert await desk.states() == [SandboxStatus.running]
