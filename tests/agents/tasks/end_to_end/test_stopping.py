"""Tasks come to their end when they are told to, or have used up what they may use."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.agents.git.repositories import Origin
from tests.agents.tasks.end_to_end.board import SECONDS, Board, call, finish

from assay.jobs.models import Job, JobStatus
from assay.testing.scripted_model import ScriptedModelServer

# What "at once" means.
STOPPED_SECONDS = 2.0


def runs(number: int) -> bool:
    """Whether `sleep <number>` runs on this machine."""
    wanted = b"sleep\0%d\0" % number
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if process.read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False


async def until_running(number: int) -> None:
    async with asyncio.timeout(SECONDS):
        while not runs(number):
            await asyncio.sleep(0.02)


async def until_destroyed(board: Board) -> None:
    async with asyncio.timeout(SECONDS):
        while {each["status"] for each in await board.sandboxes()} - {"destroyed"}:
            await asyncio.sleep(0.05)


async def test_a_cancelled_command_ends_at_once_and_its_work_can_be_looked_at(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        call("write_file", path="half.txt", content="half done"),
        call("run_command", command="trap '' TERM INT; sleep 98761 & sleep 98762", seconds=600),
        finish(),
    ]
    task_id = await board.start(origin.url)
    await until_running(98762)
    began = time.monotonic()
    task = await board.ask("POST", f"/tasks/{task_id}/cancel", 200)
    assert task["status"] == "cancelled"
    while runs(98761) or runs(98762):
        assert time.monotonic() - began < STOPPED_SECONDS
        await asyncio.sleep(0.02)
    await until_destroyed(board)
    assert (await board.task(task_id))["status"] == "cancelled"
    assert "half done" in (await board.ask("GET", f"/tasks/{task_id}/diff", 200))["diff"]
    assert (await board.events(task_id))[-1]["payload"]["status"] == "cancelled"
    again = await board.ask("POST", f"/tasks/{task_id}/cancel", 409)
    assert again["code"] == "task_ended"


async def test_a_task_is_cancelled_while_its_model_thinks(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns, model.latency = [finish()], 600.0
    task_id = await board.start(origin.url)
    async with asyncio.timeout(SECONDS):
        while not model.counters.in_flight:
            await asyncio.sleep(0.02)
    await board.ask("POST", f"/tasks/{task_id}/cancel", 200)
    async with asyncio.timeout(STOPPED_SECONDS):
        while model.counters.in_flight:
            await asyncio.sleep(0.02)
    await until_destroyed(board)


async def test_a_task_is_cancelled_before_it_begins_and_while_it_waits(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    new = {"title": "Later", "repo_url": origin.url}
    task = await board.ask("POST", "/tasks", 201, json=new)
    ended = await board.ask("POST", f"/tasks/{task['id']}/cancel", 200)
    assert (ended["status"], ended["started_at"]) == ("cancelled", None)

    model.turns = [call("ask_human", question="Shall I?"), finish()]
    task_id = await board.start(origin.url)
    await board.until(task_id, "waiting")
    [request] = await board.ask("GET", "/requests", 200)
    await board.ask("POST", f"/tasks/{task_id}/cancel", 200)
    request = await board.ask("GET", f"/requests/{request['id']}", 200)
    assert request["status"] == "cancelled"
    *_, taken_back, last = await board.events(task_id)
    assert (taken_back["kind"], taken_back["payload"]["status"]) == ("question", "cancelled")
    assert taken_back["payload"]["request_id"] == request["id"]
    assert (last["kind"], last["payload"]["status"]) == ("status", "cancelled")
    await until_destroyed(board)
    [agent] = await board.ask("GET", "/agents", 200)
    assert (agent["status"], agent["current_task_id"]) == ("idle", None)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"max_steps": 3}, "3 turns without finishing"),
        ({"max_seconds": 5}, "5 seconds without finishing"),
    ],
)
async def test_a_task_that_has_used_up_its_means_fails_and_says_so(
    board: Board,
    model: ScriptedModelServer,
    origin: Origin,
    limits: dict[str, int],
    told: str,
) -> None:
    model.turns = [call("run_command", command="echo more >> grown.txt; sleep 0.4")] * 50
    agent = await board.agent(**limits)
    task = await board.until(await board.start(origin.url, agent_id=agent["id"]))
    assert task["status"] == "failed"
    assert told in task["error"]
    assert origin.sha(task["git_branch"]) is None
    await until_destroyed(board)
    assert "more" in (await board.ask("GET", f"/tasks/{task['id']}/diff", 200))["diff"]


async def test_a_task_that_costs_too_much_is_stopped(
    board: Board, model: ScriptedModelServer, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", model.base_url)
    monkeypatch.setitem(os.environ, "OPENAI_API_KEY", "sk-none")
    model.turns = [call("list_files", path=".")] * 50
    agent = await board.agent(model="openai/gpt-4o", max_cost=0.005)
    task = await board.until(await board.start(origin.url, agent_id=agent["id"]))
    assert (task["status"], task["cost"] >= 0.005) == ("failed", True)
    assert "0.005 are allowed (max_cost)" in task["error"]
    assert 1 < task["steps"] < 20


async def test_what_cannot_be_done_is_failed_with_the_agent_s_reason(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    reason = "There is no such file."
    model.turns = [
        call("write_file", path="scratch.txt", content="tried"),
        call("finish", summary=reason, tested="Looked for it.", done=False),
    ]
    task = await board.until(await board.start(origin.url))
    assert (task["status"], task["error"]) == ("failed", f"The agent could not do it: {reason}")
    assert origin.sha(task["git_branch"]) is None


async def test_a_task_without_a_change_is_completed_without_a_branch(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [finish("It says hello already.")]
    task = await board.until(await board.start(origin.url))
    assert (task["status"], task["pushed_sha"]) == ("completed", None)
    assert origin.sha(task["git_branch"]) is None
    assert task["summary"].startswith("It says hello already.")


async def test_a_model_that_does_not_work_with_tools_is_given_up(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.answer = "I would rather talk."
    task = await board.until(await board.start(origin.url))
    assert task["status"] == "failed"
    assert "does not work with its tools" in task["error"]


async def test_a_model_that_is_away_is_waited_for_without_a_worker(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns, model.rate_429, model.retry_after = [finish()], 1.0, 700
    task_id = await board.start(origin.url)
    async with asyncio.timeout(SECONDS):
        while "again_in" not in (last := await last_event(board, task_id)):
            await asyncio.sleep(0.05)
    assert last["again_in"] > 600
    assert "429" in last["error"]
    async with board.database.reading() as session:
        [job] = await session.scalars(select(Job).where(Job.job_type == "task.run"))
    assert job.status is JobStatus.queued
    await board.ask("POST", f"/tasks/{task_id}/cancel", 200)
    await until_destroyed(board)


async def last_event(board: Board, task_id: str) -> dict[str, Any]:
    """What the last event of a task says."""
    return dict((await board.events(task_id, follow=False))[-1]["payload"])


async def test_a_person_steers_a_task_while_it_runs(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        call("run_command", command="until [ -e go ]; do sleep 0.05; done"),
        finish(),
    ]
    task_id = await board.start(origin.url)
    async with asyncio.timeout(SECONDS):
        while len(await board.events(task_id, follow=False)) < 3:
            await asyncio.sleep(0.05)
    await board.ask("POST", f"/tasks/{task_id}/message", 202, json={"text": "Mind the docs."})
    [go] = (board.settings.assay_home / "sandboxes").glob("*/work")
    (go / "go").touch()
    task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    said = [each for each in model.last_request["messages"] if each["role"] == "user"]
    assert sum("Mind the docs." in str(each["content"]) for each in said) == 1
    late = await board.ask("POST", f"/tasks/{task_id}/message", 409, json={"text": "Late"})
    assert late["code"] == "task_ended"
