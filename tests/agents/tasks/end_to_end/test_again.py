"""A task that did not come to its end is begun once more; and what is shown of its sandbox."""

import asyncio
from typing import Any

import pytest
from tests.agents.git.repositories import Origin
from tests.agents.tasks.end_to_end.board import SECONDS, Board, call, finish

from assay.testing.scripted_model import ScriptedModelServer


async def started_again(board: Board, task_id: str, agent_id: str) -> dict[str, Any]:
    """Begin a task once more, as soon as what the last try has left is cleared away."""
    path = f"/api/v1/agents/{agent_id}/start-task"
    async with asyncio.timeout(SECONDS):
        while True:
            response = await board.client.post(path, json={"task_id": task_id})
            if response.status_code == 202:
                return dict(response.json())
            assert response.json()["code"] == "task_clearing", response.text
            await asyncio.sleep(0.05)


async def test_a_task_that_failed_is_done_in_a_second_try(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    agent = await board.agent(max_steps=2)
    first_try = call("write_file", "c1", path="first.txt", content="one")
    model.turns = [first_try, call("list_files", "c2"), finish()]
    task_id = await board.start(origin.url, agent_id=agent["id"])
    failed = await board.until(task_id, "failed")
    assert "max_steps" in failed["error"]
    told = await board.events(task_id)

    await board.ask("PATCH", f"/agents/{agent['id']}", 200, json={"max_steps": 5})
    # The ids of the calls are those of the first try: nothing of that may be taken for done.
    second_try = call("write_file", "c1", path="second.txt", content="two")
    model.turns = [second_try, call("list_files", "c2"), finish("Done at last.")]
    again = await started_again(board, task_id, agent["id"])
    assert (again["status"], again["error"], again["completed_at"]) == ("running", None, None)
    assert again["git_branch"] == f"{failed['git_branch']}-2"
    done = await board.until(task_id, "completed")
    assert done["summary"].startswith("Done at last.")
    assert done["steps"] == 3
    assert done["tokens"] > failed["tokens"]
    assert origin.sha(done["git_branch"]) == done["pushed_sha"]
    assert origin.sha(failed["git_branch"]) is None
    diff = (await board.ask("GET", f"/tasks/{task_id}/diff", 200))["diff"]
    assert "second.txt" in diff
    assert "first.txt" not in diff
    events = await board.events(task_id)
    assert events[: len(told)] == told
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    body = {"task_id": task_id}
    problem = await board.ask("POST", f"/agents/{agent['id']}/start-task", 409, json=body)
    assert problem["code"] == "task_started"


async def test_a_mistake_in_the_address_is_mended_and_the_task_begun_again(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    agent = await board.agent()
    model.turns = [call("write_file", path="new.txt", content="new"), finish()]
    task_id = await board.start("file:///nowhere/at/all", agent_id=agent["id"])
    failed = await board.until(task_id, "failed")
    await board.ask("PATCH", f"/tasks/{task_id}", 200, json={"repo_url": origin.url})
    await started_again(board, task_id, agent["id"])
    done = await board.until(task_id, "completed")
    assert done["git_branch"] == failed["git_branch"], "nothing was made by that name"
    assert origin.sha(done["git_branch"]) == done["pushed_sha"]


@pytest.mark.parametrize("while_", ["working", "waiting"])
async def test_an_agent_shows_the_sandbox_of_its_task_while_there_is_one(
    board: Board, model: ScriptedModelServer, origin: Origin, while_: str
) -> None:
    agent = await board.agent()
    busy = call("run_command", command="sleep 60", seconds=60)
    asking = call("ask_human", question="Shall I go on?")
    model.turns = [
        call("write_file", path="new.txt", content="new line"),
        busy if while_ == "working" else asking,
        finish(),
    ]
    task_id = await board.start(origin.url, agent_id=agent["id"])
    path = f"/agents/{agent['id']}"
    async with asyncio.timeout(SECONDS):
        while not (await board.ask("GET", f"/tasks/{task_id}/diff", 200))["diff"]:
            await asyncio.sleep(0.05)
    if while_ == "waiting":
        await board.until(task_id, "waiting")
    shown = await board.ask("GET", path, 200)
    [sandbox] = await board.sandboxes()
    assert (shown["current_task_id"], shown["sandbox_id"]) == (task_id, sandbox["id"])
    assert shown["status"] == while_
    assert sandbox["branch_name"] == (await board.task(task_id))["git_branch"]
    diff = await board.ask("GET", f"/tasks/{task_id}/diff", 200)
    assert "+new line" in diff["diff"]
    assert diff["live"] == (while_ == "working")

    await board.ask("POST", f"/tasks/{task_id}/cancel", 200)
    async with asyncio.timeout(SECONDS):
        while {each["status"] for each in await board.sandboxes()} != {"destroyed"}:
            await asyncio.sleep(0.05)
    shown = await board.ask("GET", path, 200)
    assert (shown["status"], shown["current_task_id"], shown["sandbox_id"]) == ("idle", None, None)
    kept = await board.ask("GET", f"/tasks/{task_id}/diff", 200)
    assert (kept["diff"], kept["live"]) == (diff["diff"], False)
