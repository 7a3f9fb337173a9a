"""Who sees and who changes agents, tasks and sandboxes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.agents.office import REPOSITORY, Clerk, Office
from tests.identity.people import Installation

from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.core.ids import new_id
from assay.identity.actor import Role, Scope

Row = dict[str, Any]
NEW_AGENT = {"name": "Grace", "role": "developer"}


async def one_of_each(office: Office, clerk: Clerk, project_id: str | None) -> tuple[Row, Row, str]:
    """An agent, a task that it is at, and a sandbox of that; with a project in it."""
    agent = await clerk.agent(project_id=project_id)
    task = await clerk.start(agent)
    sandbox = Sandbox(
        id=str(new_id()),
        agent_id=UUID(agent["id"]),
        task_id=UUID(task["id"]),
        provider="local",
        status=SandboxStatus.creating,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    async with office.database.session() as session:
        session.add(sandbox)
    return agent, task, sandbox.id


def changes(agent: Row, task: Row, sandbox_id: str, *, started: str) -> Sequence[tuple[Any, ...]]:
    """Every change there is of these; the last ones delete."""
    at_agent, at_task = f"/agents/{agent['id']}", f"/tasks/{task['id']}"
    return [
        ("PATCH", at_agent, {"name": "New"}),
        ("POST", f"{at_agent}/start-task", {"title": "New", "repo_url": REPOSITORY}),
        ("POST", f"{at_agent}/start-task", {"task_id": started}),
        ("PATCH", at_task, {"title": "New"}),
        ("POST", f"{at_task}/message", {"text": "Hurry"}),
        ("POST", f"{at_task}/cancel", None),
        ("DELETE", f"/sandboxes/{sandbox_id}", None),
        ("DELETE", at_task, None),
        ("DELETE", at_agent, None),
    ]


def reads(agent: Row, task: Row, sandbox_id: str) -> Sequence[str]:
    of_task = f"/tasks/{task['id']}"
    return [
        f"/agents/{agent['id']}",
        of_task,
        f"{of_task}/diff",
        f"{of_task}/git-operations",
        f"{of_task}/events?follow=false",
        f"/sandboxes/{sandbox_id}",
    ]


async def read_all(clerk: Clerk, paths: Sequence[str], status: int) -> None:
    for path in paths:
        response = await clerk.client.get(f"/api/v1{path}")
        assert response.status_code == status, f"{path}: {response.text}"


async def listed(clerk: Clerk) -> set[str]:
    return {id_ for path in ("/agents", "/tasks", "/sandboxes") for id_ in await clerk.ids(path)}


async def test_what_is_in_no_project_is_its_makers_and_the_admins(office: Office) -> None:
    ada, bob = await office.clerk(), await office.clerk()
    agent, task, sandbox_id = await one_of_each(office, ada, None)
    pending = await ada.task()
    mine = {agent["id"], task["id"], pending["id"], sandbox_id}
    paths = reads(agent, task, sandbox_id)
    assert await listed(ada) == mine
    assert await listed(office.admin) >= mine
    await read_all(ada, paths, 200)
    await read_all(office.admin, paths, 200)

    assert await listed(bob) == set()
    await read_all(bob, paths, 404)
    for method, path, body in changes(agent, task, sandbox_id, started=pending["id"]):
        await bob.ask(method, path, 404, json=body)
    own = await bob.agent()
    await bob.ask("POST", f"/agents/{own['id']}/start-task", 404, json={"task_id": task["id"]})
    body = {"title": "New", "assigned_agent_id": agent["id"]}
    await bob.ask("POST", "/tasks", 404, json=body)
    task_of_bob = await bob.task()
    await bob.ask("PATCH", f"/tasks/{task_of_bob['id']}", 404, json=body)
    assert (await ada.ask("GET", f"/tasks/{task['id']}", 200))["status"] == "running"


@pytest.mark.parametrize("role", [Role.viewer, Role.reviewer])
async def test_who_is_less_than_an_editor_in_a_project_only_looks(
    office: Office, role: Role
) -> None:
    ada, looking = await office.clerk(), await office.clerk()
    project_id = await office.project(**{"editor": ada, role: looking})
    agent, task, sandbox_id = await one_of_each(office, ada, project_id)
    pending = await ada.task(project_id=project_id)
    assert await listed(looking) == {agent["id"], task["id"], pending["id"], sandbox_id}
    await read_all(looking, reads(agent, task, sandbox_id), 200)
    own = await looking.agent()
    refused = [
        *changes(agent, task, sandbox_id, started=pending["id"]),
        ("POST", f"/agents/{own['id']}/start-task", {"task_id": pending["id"]}),
        ("POST", "/agents", {**NEW_AGENT, "project_id": project_id}),
        ("POST", "/tasks", {"title": "New", "project_id": project_id}),
        ("POST", "/tasks", {"title": "New", "assigned_agent_id": agent["id"]}),
        ("PATCH", f"/tasks/{(await looking.task())['id']}", {"assigned_agent_id": agent["id"]}),
    ]
    for method, path, body in refused:
        problem = await looking.ask(method, path, 403, json=body)
        assert problem["code"] == "role_too_low"
        assert problem["detail"] == "This takes the role editor in the project."
    assert await ada.ask("GET", f"/tasks/{task['id']}", 200) == task
    assert (await ada.ask("GET", f"/tasks/{pending['id']}", 200))["status"] == "pending"
    assert (await ada.ask("GET", f"/sandboxes/{sandbox_id}", 200))["status"] == "creating"


@pytest.mark.parametrize("role", [Role.editor, Role.admin])
async def test_editors_of_a_project_change_what_others_have_made(
    office: Office, role: Role
) -> None:
    ada, bob = await office.clerk(), await office.clerk()
    project_id = await office.project(editor=ada)
    await office.installation.share(office.admin.person, project_id, bob.person, role)
    agent, task, sandbox_id = await one_of_each(office, ada, project_id)
    pending = await ada.task(project_id=project_id)
    started = changes(agent, task, sandbox_id, started=pending["id"])
    statuses = []
    for method, path, body in started:
        response = await bob.client.request(method, f"/api/v1{path}", json=body)
        statuses.append(response.status_code)
    # At the end the agent is at the other two tasks still.
    assert statuses == [200, 202, 202, 200, 202, 200, 204, 204, 409]
    assert (str(bob.person.id), "task.cancelled") in await office.trail(task["id"])


async def test_what_belongs_to_a_project_is_gone_for_who_leaves_it(office: Office) -> None:
    ada = await office.clerk()
    project_id = await office.project(editor=ada)
    agent, task, sandbox_id = await one_of_each(office, ada, project_id)
    path = f"/projects/{project_id}/members/{ada.person.id}"
    await office.admin.ask("DELETE", path, 204)
    assert await listed(ada) == set()
    await read_all(ada, reads(agent, task, sandbox_id), 404)
    for method, at, body in changes(agent, task, sandbox_id, started=task["id"]):
        await ada.ask(method, at, 404, json=body)


async def with_key(
    installation: Installation, owner: Clerk, *scopes: Scope, **fields: Any
) -> Clerk:
    return Clerk(await installation.with_key(owner.person, *scopes, **fields), owner.person)


async def test_a_key_of_a_project_is_for_what_is_in_it(office: Office) -> None:
    ada = await office.clerk()
    here, there = await office.project(editor=ada), await office.project(editor=ada)
    key = await with_key(office.installation, ada, Scope.agents_write, project_id=here)
    inside = await one_of_each(office, ada, here)
    for outside in (await one_of_each(office, ada, there), await one_of_each(office, ada, None)):
        await read_all(key, reads(*outside), 404)
        for method, at, body in changes(*outside, started=inside[1]["id"]):
            await key.ask(method, at, 404, json=body)
    await read_all(key, reads(*inside), 200)
    made = await key.agent()
    assert made["project_id"] == here
    task = await key.start(made)
    assert task["project_id"] == here
    assert await listed(key) == {
        inside[0]["id"],
        inside[1]["id"],
        inside[2],
        made["id"],
        task["id"],
    }
    faults = await key.faults("POST", "/agents", {**NEW_AGENT, "project_id": there})
    assert faults == {"body.project_id": "take one that you see"}


async def test_a_key_that_reads_changes_nothing(office: Office) -> None:
    ada = await office.clerk()
    key = await with_key(office.installation, ada, Scope.agents_read)
    mine = await one_of_each(office, ada, None)
    await read_all(key, reads(*mine), 200)
    for method, at, body in changes(*mine, started=mine[1]["id"]):
        problem = await key.ask(method, at, 403, json=body)
        assert problem["code"] == "scope_missing"


async def test_agents_are_for_the_tasks_of_their_own_project(office: Office) -> None:
    ada = await office.clerk()
    here, there = await office.project(editor=ada), await office.project(editor=ada)
    agent, free = await ada.agent(project_id=here), await ada.agent()
    told = "takes an agent of the task's project, or one without a project"
    for project_id in (there, None):
        task = await ada.task(project_id=project_id)
        problem = await ada.start(agent, 422, task_id=task["id"])
        assert problem["code"] == "other_project"
        assert problem["errors"][0]["message"] == told
        body = {"assigned_agent_id": agent["id"]}
        faults = await ada.faults("PATCH", f"/tasks/{task['id']}", body)
        assert faults == {"body.assigned_agent_id": told}
    body = {"title": "New", "project_id": there, "assigned_agent_id": agent["id"]}
    assert await ada.faults("POST", "/tasks", body) == {"body.assigned_agent_id": told}

    inherited = await ada.task(assigned_agent_id=agent["id"])
    assert inherited["project_id"] == here
    assert (await ada.start(agent, task_id=inherited["id"]))["status"] == "running"
    assert (await ada.start(free, task_id=task["id"]))["project_id"] is None
    in_project = await ada.task(project_id=there, assigned_agent_id=free["id"])
    assert (await ada.start(free, task_id=in_project["id"]))["project_id"] == there
