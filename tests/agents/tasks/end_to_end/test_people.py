"""Tasks ask people, and go on with what they say."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.agents.git.repositories import Origin, git
from tests.agents.tasks.end_to_end.board import ENDED, SECONDS, Board, call, finish, opened

from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.models import Job, JobStatus
from assay.testing.scripted_model import ScriptedModelServer

EDIT = call("edit_file", path="src/app.py", old="hello", new="goodbye")


async def answer(board: Board, task_id: str, value: object, comment: str | None = None) -> None:
    """Say something to the one request of a task that is open."""
    request = await until_asked(board, task_id)
    body = {"value": value, "comment": comment}
    await board.ask("POST", f"/requests/{request['id']}/respond", 200, json=body)


async def until_asked(board: Board, task_id: str) -> Mapping[str, Any]:
    """The one open request of a task, once it waits for it."""
    async with asyncio.timeout(SECONDS):
        while not (requests := await asked(board)):
            assert (await board.task(task_id))["status"] not in ENDED
            await asyncio.sleep(0.05)
    [request] = requests
    return dict(await board.ask("GET", f"/requests/{request['id']}", 200))


async def asked(board: Board) -> list[Mapping[str, Any]]:
    """The requests that are open."""
    return list(await board.ask("GET", "/requests", 200, params={"status": "pending"}))


def results(model: ScriptedModelServer) -> list[str]:
    """What the model was last told about its calls."""
    messages = model.last_request["messages"]
    return [each["content"] for each in messages if each["role"] == "tool"]


async def test_a_question_outlasts_the_server_and_holds_no_worker(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    model: ScriptedModelServer,
    origin: Origin,
) -> None:
    question = "Which word?"
    model.turns = [
        call("write_file", path="note.txt", content="before the question"),
        call("ask_human", question=question, options=["goodbye", "farewell"]),
        call("edit_file", path="src/app.py", old="hello", new="farewell"),
        finish(),
    ]
    async with opened(settings, own_database, tmp_path) as board:
        agent = await board.agent()
        task_id = await board.start(origin.url, agent_id=agent["id"])
        request = await until_asked(board, task_id)
        assert (await board.ask("GET", f"/agents/{agent['id']}", 200))["status"] == "waiting"
        assert (request["kind"], request["title"]) == ("choose", question)
        assert [each["value"] for each in request["options"]] == ["goodbye", "farewell"]
        async with own_database.reading() as session:
            active = Job.status.in_([JobStatus.queued, JobStatus.running])
            assert await session.scalar(select(func.count()).where(active)) == 0
        assert [each["status"] for each in await board.sandboxes()] == ["paused"]
        diff = await board.ask("GET", f"/tasks/{task_id}/diff", 200)
        assert "before the question" in diff["diff"]
    async with opened(settings, own_database, tmp_path) as board:
        await answer(board, task_id, "farewell", "It is more polite")
        task = await board.until(task_id)
        assert task["status"] == "completed", task["error"]
        assert "farewell\nIt is more polite" in results(model)
        kinds = [event["kind"] for event in await board.events(task_id)]
        assert kinds.count("question") == 2
        assert (await board.ask("GET", f"/agents/{agent['id']}", 200))["status"] == "idle"
    assert git("show", f"{task['git_branch']}:note.txt", at=origin.path) == "before the question"
    assert "farewell" in git("show", f"{task['git_branch']}:src/app.py", at=origin.path)


async def test_a_refusal_with_its_reason_reaches_the_model(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        call("run_command", command="rm -rf src"),
        EDIT,
        finish(),
    ]
    agent = await board.agent(approval_policy={"commands": ["rm -rf"]})
    task_id = await board.start(origin.url, agent_id=agent["id"])
    request = await until_asked(board, task_id)
    assert request["kind"] == "approve"
    assert request["title"] == "run_command: rm -rf src"
    assert request["context"]["call"]["arguments"]["command"] == "rm -rf src"
    await answer(board, task_id, {"approved": False}, "The sources are needed")
    task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    assert any("The sources are needed" in told for told in results(model))
    assert git("show", f"{task['git_branch']}:src/app.py", at=origin.path) == "print('goodbye')"


async def test_a_person_may_change_what_they_allow(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("run_command", command="echo risky > made.txt"), finish()]
    agent = await board.agent(approval_policy={"tools": ["run_command"]})
    task_id = await board.start(origin.url, agent_id=agent["id"])
    edits = {"command": "echo safe > made.txt"}
    await answer(board, task_id, {"approved": True, "edits": edits})
    task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    assert git("show", f"{task['git_branch']}:made.txt", at=origin.path) == "safe"
    assert any("echo safe" in told for told in results(model))


async def test_a_push_that_is_refused_goes_back_to_the_model(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        EDIT,
        finish("First."),
        call("edit_file", path="src/app.py", old="goodbye", new="farewell"),
        finish("Second."),
    ]
    agent = await board.agent(approval_policy={"push": True})
    task_id = await board.start(origin.url, agent_id=agent["id"])
    request = await until_asked(board, task_id)
    assert request["title"].startswith("Push assay/")
    assert "+print('goodbye')" in request["context"]["diff"]
    assert "goodbye" in (await board.ask("GET", f"/tasks/{task_id}/diff", 200))["diff"]
    await answer(board, task_id, {"approved": False}, "Say farewell instead")
    branch = (await board.task(task_id))["git_branch"]
    assert origin.sha(branch) is None
    await answer(board, task_id, {"approved": True})
    task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    said = [each["content"] for each in model.last_request["messages"] if each["role"] == "user"]
    assert any("Say farewell instead" in str(text) for text in said)
    assert "farewell" in git("show", f"{branch}:src/app.py", at=origin.path)
    assert task["summary"].startswith("Second.")


@pytest.mark.parametrize("approved", [True, False])
async def test_the_network_is_reached_only_with_leave(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    model: ScriptedModelServer,
    origin: Origin,
    approved: bool,
) -> None:
    model.turns = [
        call("run_command", command="echo ${https_proxy:-none} > proxy.txt"),
        finish(),
    ]
    hosts = ("example.com",)
    async with opened(settings, own_database, tmp_path, sandbox_network=hosts) as board:
        agent = await board.agent(approval_policy={"network": True})
        task_id = await board.start(origin.url, agent_id=agent["id"])
        request = await until_asked(board, task_id)
        assert await board.sandboxes() == []
        assert "example.com" in request["title"]
        await answer(board, task_id, {"approved": approved})
        task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    proxy = git("show", f"{task['git_branch']}:proxy.txt", at=origin.path)
    assert (proxy != "none") is approved


async def test_a_call_with_megabytes_is_asked_about_too(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("write_file", path="large.txt", content="x" * 1_500_000), finish()]
    agent = await board.agent(approval_policy={"tools": ["write_file"]})
    task_id = await board.start(origin.url, agent_id=agent["id"], description="y" * 90_000)
    request = await until_asked(board, task_id)
    assert len(str(request["context"])) < 100_000
    await answer(board, task_id, {"approved": True})
    task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    size = git("cat-file", "-s", f"{task['git_branch']}:large.txt", at=origin.path)
    assert int(size) == 1_500_000
