"""A task from its start to the pull request."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.git.smart_http import TOKEN
from tests.agents.tasks.end_to_end.board import SECONDS, Board, call, finish, opened
from tests.agents.tasks.end_to_end.forge import Forge, forge_at, pushes

from assay.agents.tasks import running
from assay.core.config import Settings
from assay.core.database import Database
from assay.testing.script import Call, ChatRequest, Turn
from assay.testing.scripted_model import ScriptedModelServer

EDIT = call("edit_file", path="src/app.py", old="hello", new="goodbye")


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncIterator[Forge]:
    async with forge_at(tmp_path / "forge") as forge:
        yield forge


async def test_a_task_becomes_a_pull_request(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    model: ScriptedModelServer,
    forge: Forge,
) -> None:
    origin = forge.repository("octo")
    origin.commit({"AGENTS.md": "Say it politely.\n"}, "Add rules")
    base = origin.sha("main")
    model.turns = [
        Turn(
            "I look first.",
            [Call("read_file", {"path": "src/app.py"}), Call("search", {"pattern": "hello"})],
        ),
        call("update_plan", steps=[{"step": "Say goodbye", "status": "in_progress"}]),
        EDIT,
        call("run_command", command="python3 src/app.py"),
        call("run_command", command="env; cat /proc/*/cmdline /proc/*/environ; cat .git/config"),
        finish("It says goodbye now.", "Ran it: goodbye."),
    ]
    async with opened(settings, own_database, tmp_path, **forge.settings) as board:
        agent = await board.agent()
        task_id = await board.start(forge.address("octo"), agent_id=agent["id"])
        following = asyncio.create_task(board.events(task_id))
        task = await board.until(task_id)
        assert task["status"] == "completed", task["error"]
        live = await asyncio.wait_for(following, SECONDS)
        assert live == await board.events(task_id)
        assert await board.events(task_id, after=5) == live[5:]
        operations = await board.operations(task_id)
        diff = await board.ask("GET", f"/tasks/{task_id}/diff", 200)

    branch, sha = task["git_branch"], task["pushed_sha"]
    assert origin.sha(branch) == sha
    assert len([each for each in pushes(origin) if branch in each]) == 1
    log = git("log", "--format=%an|%ae|%cn|%s|%P", f"main..{branch}", at=origin.path)
    author = f"agent-{agent['id'].replace('-', '')[-8:]}@assay.invalid"
    assert log == f"Ada|{author}|Ada|Say goodbye|{base}"
    body = git("log", "-1", "--format=%b", branch, at=origin.path)
    assert "It says goodbye now." in body
    assert f"Assay-Task: {task_id}" in body
    [pull] = forge.pulls["octo"]
    assert (pull["title"], pull["base"], pull["head"]) == ("Say goodbye", "main", f"octo:{branch}")
    assert "Ran it: goodbye." in pull["body"]
    assert task["pull_request_url"] == pull["html_url"]

    assert [(each["operation_type"], each["status"]) for each in operations] == [
        ("clone", "completed"),
        ("branch", "completed"),
        ("commit", "completed"),
        ("push", "completed"),
        ("pull_request", "completed"),
    ]
    assert [each["commit_sha"] for each in operations] == [base, base, sha, sha, sha]
    assert all(each["duration"] > 0 for each in operations)
    assert "+print('goodbye')" in diff["diff"]

    assert [event["sequence"] for event in live] == list(range(1, len(live) + 1))
    assert any(event["payload"].get("text") == "I look first." for event in live)
    assert task["plan"] == [{"step": "Say goodbye", "status": "in_progress"}]
    assert "Say it politely." in str(model.last_request["messages"][1]["content"])
    seen = [each["content"] for each in model.last_request["messages"] if each["role"] == "tool"]
    assert any("LC_ALL" in text or "PATH=" in text for text in seen)
    assert not any(TOKEN in text or "sk-" in text for text in seen)


async def test_a_host_that_is_away_at_the_push_is_waited_for(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    model: ScriptedModelServer,
    forge: Forge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fall_away(_: ChatRequest) -> Turn:
        forge.away = True
        return finish()

    monkeypatch.setattr(running, "AGAIN_SECONDS", 0.2)
    origin = forge.repository("octo")
    model.turns = [EDIT, fall_away]
    async with opened(settings, own_database, tmp_path, **forge.settings) as board:
        task_id = await board.start(forge.address("octo"))
        async with asyncio.timeout(SECONDS):
            while not any("again_in" in each["payload"] for each in await told(board, task_id)):
                await asyncio.sleep(0.05)
        forge.away = False
        task = await board.until(task_id)
        assert task["status"] == "completed", task["error"]
        statuses = [
            each["status"]
            for each in await board.operations(task_id)
            if each["operation_type"] == "push"
        ]
    assert set(statuses[:-1]) == {"failed"}
    assert statuses[-1] == "completed"
    assert origin.sha(task["git_branch"]) == task["pushed_sha"]


async def told(board: Board, task_id: str) -> list[dict[str, Any]]:
    """What was told of a task so far."""
    return await board.events(task_id, follow=False)


async def test_a_repository_on_this_machine_gets_a_branch_and_no_pull_request(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [EDIT, finish()]
    before = origin.sha("main")
    task = await board.until(await board.start(origin.url, "Grüße, 'Welt' & more\u2028again"))
    assert task["status"] == "completed", task["error"]
    assert task["pull_request_url"] is None
    assert origin.sha(task["git_branch"]) == task["pushed_sha"]
    assert origin.sha("main") == before


@pytest.mark.parametrize(
    ("url", "told"),
    [("file:///nowhere/at/all", "nowhere"), ("{origin}", "no branch 'missing'")],
)
async def test_a_repository_that_cannot_be_cloned_is_told_plainly(
    board: Board, origin: Origin, url: str, told: str
) -> None:
    task_id = await board.start(url.format(origin=origin.url), base_branch="missing")
    task = await board.until(task_id)
    assert task["status"] == "failed"
    assert told in task["error"]
    operations = await board.operations(task_id)
    assert [(each["operation_type"], each["status"]) for each in operations] == [
        ("clone", "failed")
    ]
    assert operations[0]["error_message"] == task["error"]


async def test_of_long_output_followers_see_the_beginning_and_that_there_is_more(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("run_command", command="seq 100000"), finish()]
    task_id = await board.start(origin.url)
    await board.until(task_id)
    pieces = [each["payload"].get("text", "") for each in await board.events(task_id)]
    shown = "".join(pieces)
    assert shown.startswith("1\n2\n3\n")
    assert shown.count("[more output is not shown]") == 1
