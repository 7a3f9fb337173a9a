"""Agents over HTTP: making, reading, changing, deleting them."""

from typing import Any
from uuid import uuid4

import pytest
from tests.agents.office import MODEL, Clerk, Office

from assay.agents.tasks.tools.names import TOOLS

NEW = {"name": "Ada", "role": "developer"}


async def test_an_agent_has_what_it_was_given_and_defaults_for_the_rest(clerk: Clerk) -> None:
    bare = await clerk.ask("POST", "/agents", 201, json=NEW)
    assert bare["status"] == "idle"
    assert bare["created_by"] == str(clerk.person.id)
    assert (bare["provider"], bare["tools"], bare["max_steps"]) == ("local", [], 100)
    assert (
        bare["max_cost"] is bare["model"] is bare["current_task_id"] is bare["sandbox_id"] is None
    )
    given = {
        **NEW,
        "avatar_url": "https://example.com/ada.png",
        "model": MODEL,
        "model_parameters": {"temperature": 0},
        "instructions": "Be brief.",
        "tools": ["read_file", "run_command"],
        "approval_policy": {"commands": ["^git push"], "tools": ["apply_patch"], "push": True},
        "provider": "e2b",
        "max_steps": 7,
        "max_seconds": 60,
        "max_cost": 0.5,
    }
    made = await clerk.ask("POST", "/agents", 201, json=given)
    policy = {**given.pop("approval_policy"), "pull_request": False, "network": False}  # type: ignore[dict-item]  # a mapping
    assert made.items() >= given.items()
    assert made["approval_policy"] == policy
    assert await clerk.ask("GET", f"/agents/{made['id']}", 200) == made


@pytest.mark.parametrize(
    ("fields", "place", "told"),
    [
        ({"name": ""}, "body.name", "at least 1"),
        ({"name": None}, "body.name", "valid string"),
        ({"role": "x" * 101}, "body.role", "up to 100"),
        ({"role": "a\0b"}, "body.role", "U+0000"),
        ({"model": "gpt-6"}, "body.model", "pattern"),
        ({"tools": ["read_file", "fly"]}, "body.tools[1]", "there are list_files, read_file"),
        ({"approval_policy": {"tools": ["fly"]}}, "body.approval_policy.tools[0]", "list_files"),
        ({"approval_policy": {"commands": ["("]}}, "body.approval_policy.commands[0]", "("),
        ({"approval_policy": {"pusch": True}}, "body.approval_policy.pusch", "not permitted"),
        ({"provider": "docker"}, "body.provider", "local|e2b"),
        ({"max_steps": 0}, "body.max_steps", "greater than or equal to 1"),
        ({"max_seconds": 100_000}, "body.max_seconds", "86400"),
        ({"max_cost": -1}, "body.max_cost", "greater than or equal to 0"),
        ({"avatar_url": "javascript:alert(1)"}, "body.avatar_url", "https?"),
        ({"skills": []}, "body.skills", "not permitted"),
        ({"project_id": str(uuid4())}, "body.project_id", "that you see"),
    ],
)
async def test_what_is_wrong_with_an_agent_is_said_where_it_is(
    clerk: Clerk, fields: dict[str, Any], place: str, told: str
) -> None:
    faults = await clerk.faults("POST", "/agents", {**NEW, **fields})
    assert list(faults) == [place]
    assert told in faults[place]
    if place == "body.project_id":
        return
    agent = await clerk.agent()
    faults = await clerk.faults("PATCH", f"/agents/{agent['id']}", fields)
    assert told in faults[place]
    assert await clerk.ask("GET", f"/agents/{agent['id']}", 200) == agent


async def test_only_what_is_sent_is_changed(clerk: Clerk, office: Office) -> None:
    agent = await clerk.agent(max_cost=1.0, instructions="Be brief.")
    path = f"/agents/{agent['id']}"
    changes = {"name": "Grace", "instructions": None, "tools": [TOOLS[0]]}
    changed = await clerk.ask("PATCH", path, 200, json=changes)
    assert changed["updated_at"] > agent["updated_at"]
    assert changed == {**agent, **changes, "updated_at": changed["updated_at"]}
    await clerk.ask("PATCH", path, 200, json={})
    owner = str(clerk.person.id)
    assert (owner, "agent.updated") in await office.trail(agent["id"])
    assert list(await clerk.faults("PATCH", path, {"project_id": None})) == ["body.project_id"]


async def test_people_set_agents_offline_and_back_and_nothing_else(clerk: Clerk) -> None:
    agent = await clerk.agent()
    path = f"/agents/{agent['id']}"
    faults = await clerk.faults("PATCH", path, {"status": "working"})
    assert faults == {"body.status": "takes offline or idle; the others come by its tasks"}
    assert (await clerk.ask("PATCH", path, 200, json={"status": "offline"}))["status"] == "offline"
    refused = await clerk.start(agent, 409)
    assert refused["code"] == "agent_offline"
    assert (await clerk.ask("PATCH", path, 200, json={"status": "idle"}))["status"] == "idle"
    task = await clerk.start(agent)
    at_work = await clerk.ask("GET", path, 200)
    assert (at_work["status"], at_work["current_task_id"]) == ("working", task["id"])
    # Offline it takes no more tasks, and goes on with this one.
    await clerk.ask("PATCH", path, 200, json={"status": "offline"})
    await clerk.start(agent, 409)
    assert (await clerk.ask("PATCH", path, 200, json={"status": "idle"}))["status"] == "working"
    await clerk.ask("POST", f"/tasks/{task['id']}/cancel", 200)
    at_rest = await clerk.ask("GET", path, 200)
    assert (at_rest["status"], at_rest["current_task_id"]) == ("idle", None)


async def test_of_several_tasks_one_is_shown_while_there_is_one(clerk: Clerk) -> None:
    agent = await clerk.agent()
    first, second = [await clerk.start(agent) for _ in range(2)]
    path = f"/agents/{agent['id']}"
    assert (await clerk.ask("GET", path, 200))["current_task_id"] == second["id"]
    await clerk.ask("POST", f"/tasks/{second['id']}/cancel", 200)
    shown = await clerk.ask("GET", path, 200)
    assert (shown["status"], shown["current_task_id"]) == ("working", first["id"])


async def test_lists_come_in_pages_newest_first_and_by_status(clerk: Clerk) -> None:
    agents = [await clerk.agent(name=f"Agent {number}") for number in range(5)]
    newest = [agent["id"] for agent in reversed(agents)]
    assert await clerk.pages("/agents", 2) == [newest[:2], newest[2:4], newest[4:]]
    await clerk.ask("PATCH", f"/agents/{newest[1]}", 200, json={"status": "offline"})
    assert await clerk.ids("/agents", status="offline") == [newest[1]]
    assert await clerk.pages("/agents", 3, status="idle") == [[newest[0], *newest[2:4]], newest[4:]]
    faults = await clerk.ask("GET", "/agents", 422, params={"status": "asleep"})
    assert faults["errors"][0]["place"] == "query.status"
    await clerk.ask("GET", "/agents", 422, params={"cursor": "nonsense"})


async def test_one_at_a_task_is_not_deleted_and_its_tasks_outlive_it(
    clerk: Clerk, office: Office
) -> None:
    agent = await clerk.agent()
    path = f"/agents/{agent['id']}"
    pending = await clerk.task(assigned_agent_id=agent["id"])
    running = await clerk.start(agent)
    refused = await clerk.ask("DELETE", path, 409)
    assert refused["code"] == "agent_busy"
    await clerk.ask("POST", f"/tasks/{running['id']}/cancel", 200)
    await clerk.ask("DELETE", path, 204)
    for task in (pending, running):
        left = await clerk.ask("GET", f"/tasks/{task['id']}", 200)
        assert left["assigned_agent_id"] is None
    await clerk.ask("GET", path, 404)
    await clerk.ask("DELETE", path, 404)
    owner = str(clerk.person.id)
    told = await office.trail(agent["id"])
    assert told == [(owner, "agent.created"), (owner, "agent.deleted")]
