"""Tasks in sandboxes at E2B: the official SDK, and a stand-in that really runs what it is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.agents.git.repositories import Origin, git
from tests.agents.sandboxes.providers.e2b.account import E2B, KEY
from tests.agents.sandboxes.providers.e2b.stand_in import stand_in
from tests.agents.tasks.end_to_end.board import SECONDS, Board, call, finish, opened
from tests.agents.tasks.end_to_end.forge import forge_at
from tests.agents.tasks.end_to_end.test_people import answer, until_asked

from assay.core.config import Settings
from assay.core.database import Database
from assay.testing.scripted_model import ScriptedModelServer

EDIT = call("edit_file", path="src/app.py", old="hello", new="goodbye")


@pytest.fixture
async def e2b(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[E2B]:
    """A stand-in; the environment leads the SDK to it."""
    (tmp_path / "e2b").mkdir()
    async with stand_in(tmp_path / "e2b") as (there, url):
        monkeypatch.setenv("E2B_API_URL", url)
        monkeypatch.setenv("E2B_SANDBOX_URL", url)
        yield there


@pytest.fixture
async def board(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    model: ScriptedModelServer,
    e2b: E2B,
) -> AsyncIterator[Board]:
    """A server whose owner has an account at E2B."""
    assert not model.turns
    assert not e2b.sandboxes
    key = SecretStr(KEY)
    async with opened(settings, own_database, tmp_path, e2b_api_key=key) as board:
        yield board


async def output(board: Board, task_id: str) -> str:
    """What the commands of a task have written so far."""
    told = [each["payload"] for each in await board.events(task_id, follow=False)]
    return "".join(payload.get("text", "") for payload in told if "call_id" in payload)


async def until_none_is_left(board: Board, e2b: E2B) -> None:
    async with asyncio.timeout(SECONDS):
        while e2b.sandboxes or {each["status"] for each in await board.sandboxes()} - {
            "destroyed",
            "failed",
        }:
            await asyncio.sleep(0.05)


async def test_a_task_is_done_at_e2b_and_waits_there_paused(
    board: Board, model: ScriptedModelServer, origin: Origin, e2b: E2B
) -> None:
    model.turns = [
        call("write_file", path="note.txt", content="before the question"),
        call("ask_human", question="Shall I?"),
        EDIT,
        call("run_command", command="cat note.txt src/app.py"),
        finish(),
    ]
    agent = await board.agent(provider="e2b")
    task_id = await board.start(origin.url, agent_id=agent["id"])
    await until_asked(board, task_id)
    [sandbox] = await board.sandboxes()
    assert (sandbox["provider"], sandbox["status"]) == ("e2b", "paused")
    assert "before the question" in (await board.ask("GET", f"/tasks/{task_id}/diff", 200))["diff"]
    await answer(board, task_id, "Yes")
    task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    branch = task["git_branch"]
    assert git("show", f"{branch}:note.txt", at=origin.path) == "before the question"
    assert git("show", f"{branch}:src/app.py", at=origin.path) == "print('goodbye')"
    pieces = [each["payload"].get("text", "") for each in await board.events(task_id)]
    assert any("print('goodbye')" in text for text in pieces)
    await until_none_is_left(board, e2b)


async def test_a_sandbox_that_vanishes_is_made_anew_from_what_was_pushed(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    model: ScriptedModelServer,
    e2b: E2B,
) -> None:
    model.turns = [
        EDIT,
        finish("First."),
        call("run_command", command="cat src/app.py"),
        call("write_file", path="more.txt", content="more"),
        finish("Second."),
    ]
    async with forge_at(tmp_path / "forge") as forge:
        origin = forge.repository("octo")
        given = {"e2b_api_key": SecretStr(KEY), **forge.settings}
        async with opened(settings, own_database, tmp_path, **given) as board:
            agent = await board.agent(provider="e2b", approval_policy={"pull_request": True})
            task_id = await board.start(forge.address("octo"), agent_id=agent["id"])
            await until_asked(board, task_id)
            pushed = (await board.task(task_id))["pushed_sha"]
            [number] = e2b.sandboxes
            await e2b.vanish(number)
            await answer(board, task_id, {"approved": False}, "There is something missing")
            await answer(board, task_id, {"approved": True})
            task = await board.until(task_id)
            assert task["status"] == "completed", task["error"]
            await until_none_is_left(board, e2b)
        assert len(forge.pulls["octo"]) == 1
    told = [each["content"] for each in model.last_request["messages"] if each["role"] == "tool"]
    assert any("goodbye" in text for text in told)
    log = git("log", "--format=%H", f"main..{task['git_branch']}", at=origin.path).split()
    assert log == [task["pushed_sha"], pushed]
    assert git("show", f"{task['git_branch']}:more.txt", at=origin.path) == "more"


async def test_a_sandbox_that_vanishes_while_a_command_runs_is_told_to_the_model(
    board: Board, model: ScriptedModelServer, origin: Origin, e2b: E2B
) -> None:
    model.turns = [
        call("write_file", path="lost.txt", content="lost"),
        call("run_command", command="echo begun; sleep 600", seconds=600),
        EDIT,
        finish(),
    ]
    agent = await board.agent(provider="e2b")
    task_id = await board.start(origin.url, agent_id=agent["id"])
    async with asyncio.timeout(SECONDS):
        while "begun" not in await output(board, task_id):
            await asyncio.sleep(0.05)
    [number] = e2b.sandboxes
    await e2b.vanish(number)
    task = await board.until(task_id)
    assert task["status"] == "completed", task["error"]
    told = [each["content"] for each in model.last_request["messages"] if each["role"] == "tool"]
    assert "The sandbox was lost" in told[1]
    branch = task["git_branch"]
    assert git("ls-tree", "--name-only", branch, at=origin.path).split() == ["README.md", "src"]
    assert git("show", f"{branch}:src/app.py", at=origin.path) == "print('goodbye')"
    assert [each["status"] for each in await board.sandboxes()].count("failed") == 1
    await until_none_is_left(board, e2b)
