"""`assay task run`, with a repository on disk and a model that plays a script."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.tasks.end_to_end.board import call, finish

from assay.testing.script import Call, Turn
from assay.testing.scripted_model import ScriptedModelServer

Run = Callable[..., Any]
EDIT = call("edit_file", path="src/app.py", old="hello", new="goodbye")
MODEL = ("--model", "scripted/coder")
TITLE = ("--title", "Say goodbye")
THERE = "SELECT count(*) FROM agents.sandboxes WHERE status IN ('creating', 'running', 'paused')"


def test_a_task_is_done_from_a_shell(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        Turn("I look first.", [Call("read_file", {"path": "src/app.py"})]),
        call("update_plan", steps=[{"step": "Say it", "status": "in_progress"}]),
        EDIT,
        call("run_command", command="seq 60; printf '\\033]0;title\\007\\033[31mred\\n'; false"),
        finish("It says goodbye now."),
    ]
    ended = assay("task", "run", "--repo", origin.path, *TITLE, *MODEL)
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out + ended.err
    [(branch, sha)] = query("SELECT git_branch, pushed_sha FROM agents.tasks")
    assert origin.sha(branch) == sha
    assert git("show", f"{branch}:src/app.py", at=origin.path) == "print('goodbye')"
    lines = ended.out.splitlines()
    for line in (
        "-- work",
        "I look first.",
        "* read_file src/app.py",
        "    1   print('hello')",
        "  [>] Say it",
        "* edit_file src/app.py",
        "    40",
        "    … 21 more lines",
        "    exit code 1",
        "Completed",
        "It says goodbye now.",
        f"branch        {branch}",
        f"commit        {sha}",
        "  src/app.py | +1 -1",
    ):
        assert line in lines
    assert "    41" not in lines
    assert any(line.startswith(f"git push  {sha[:12]}") for line in lines)
    assert query(THERE) == [(0,)]


def test_events_come_as_lines_of_json(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [EDIT, finish("Done.")]
    ended = assay("task", "run", "--repo", origin.url, *TITLE, *MODEL, "--json")
    assert ended.code == 0, ended.err
    told = [json.loads(line) for line in ended.out.splitlines()]
    assert (told[0]["kind"], told[-1]["kind"]) == ("task", "end")
    assert told[0]["payload"]["agent"] == "cli"
    assert told[-1]["payload"]["status"] == "completed"
    assert told[-1]["payload"]["files"] == [
        {"path": "src/app.py", "added": 1, "removed": 1, "binary": False}
    ]
    events = [each for each in told if "sequence" in each]
    assert [(each["sequence"], each["kind"], each["payload"]) for each in events] == [
        (sequence, kind, json.loads(payload))
        for sequence, kind, payload in query(
            "SELECT sequence, kind, payload FROM agents.task_events ORDER BY sequence"
        )
    ]
    operations = [each["payload"] for each in told if each["kind"] == "git_operation"]
    assert [each["operation_type"] for each in operations] == ["clone", "branch", "commit", "push"]


def test_a_task_that_fails_ends_with_1_and_says_why(
    assay: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("finish", summary="There is no parser.", tested="nothing", done=False)]
    ended = assay("task", "run", "--repo", origin.path, *TITLE, *MODEL)
    assert ended.code == 1
    assert "Failed\nThe agent could not do it: There is no parser." in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_task_and_its_sandbox_is_gone(
    spawn: Run, query: Run, model: ScriptedModelServer, origin: Origin, number: signal.Signals
) -> None:
    model.turns = [call("run_command", command="echo started; sleep 300"), finish()]
    with spawn("task", "run", "--repo", origin.path, *TITLE, *MODEL) as command:
        while not query("SELECT 1 FROM agents.task_events WHERE kind = 'output'"):
            assert command.process.poll() is None
            time.sleep(0.05)
        ended = command.end(number)
    assert ended.code == 130, ended.err
    assert "Traceback" not in ended.err
    assert "Cancelled" in ended.out
    assert query("SELECT status FROM agents.tasks") == [("cancelled",)]
    assert query("SELECT status FROM agents.sandboxes") == [("destroyed",)]


def test_the_agent_called_cli_works_as_the_command_line_says(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [EDIT, finish()]
    first = ("--max-steps", 7, "--max-cost", 2.5, "--max-seconds", 60)
    assert assay("task", "run", "--repo", origin.path, *TITLE, *MODEL, *first).code == 0
    settings = "SELECT name, role, model, max_steps, max_cost, max_seconds FROM agents.agents"
    assert query(settings) == [("cli", "developer", "scripted/coder", 7, 2.5, 60)]
    ended = assay("task", "run", "--repo", origin.path, *TITLE)
    assert ended.code == 0, ended.err
    assert query(settings) == [("cli", "developer", "scripted/coder", 100, None, 3600)]


def test_a_task_under_way_keeps_the_agent_that_it_has(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [EDIT, finish()]
    run = ("task", "run", "--repo", origin.path, *TITLE, *MODEL)
    asked = assay(*run, "--approve", "push", "--no-wait")
    assert asked.code == 3, asked.err
    assert "assay task watch" in asked.err
    assert assay(*run).code == 0
    policies = query("SELECT approval_policy->>'push' FROM agents.agents ORDER BY id")
    assert policies == [("true",), ("false",)]
    assert query("SELECT status FROM agents.tasks ORDER BY id") == [("waiting",), ("completed",)]


def test_an_agent_that_is_named_works_as_it_is_set_up(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [EDIT, finish()]
    run = ("task", "run", "--repo", origin.path, *TITLE)
    assert assay(*run, *MODEL, "--max-steps", 9).code == 0
    query("UPDATE agents.agents SET name = 'Ada'")
    ended = assay(*run, "--agent", "Ada")
    assert ended.code == 0, ended.err
    assert "Ada with scripted/coder, sandbox local, up to 9 turns" in ended.out
    [(agent_id,)] = query("SELECT id FROM agents.agents")
    assert assay(*run, "--agent", agent_id).code == 0
    refused = assay(*run, "--agent", "Ada", "--max-steps", 5)
    assert refused.code == 2
    assert "--max-steps cannot be given together with --agent" in refused.err
    unknown = assay(*run, "--agent", "Bob")
    assert unknown.code == 2
    assert "There is no agent called Bob. There are: Ada." in unknown.err


@pytest.mark.parametrize(
    ("repo", "options", "message"),
    [
        ("nowhere", MODEL, "there is no such folder"),
        ("octo/shop", MODEL, "such as https://github.com/owner/name"),
        (".", MODEL, "is not a git repository"),
        ("git@example.com:octo/shop.git", MODEL, "takes https://example.com/octo/shop"),
        ("ORIGIN", (), "add --model provider/model"),
        ("ORIGIN", ("--model", "coder"), "takes provider/model"),
        ("ORIGIN", ("--model", "openai/gpt-6-luna"), "OPENAI_API_KEY"),
        ("ORIGIN", (*MODEL, "--approve", "pushes"), "--approve does not know pushes"),
        ("ORIGIN", (*MODEL, "--max-steps", 0), "--max-steps"),
        ("ORIGIN", (*MODEL, "--base", ""), "--base"),
        ("ORIGIN", (*MODEL, "--description-file", "none.md"), "cannot be read"),
        ("ORIGIN", (*MODEL, "--description", "a", "--description-file", "b"), "not both"),
    ],
)
@pytest.mark.usefixtures("model")
def test_bad_input_ends_with_2_and_starts_nothing(
    assay: Run, query: Run, origin: Origin, repo: str, options: tuple[object, ...], message: str
) -> None:
    named = origin.path if repo == "ORIGIN" else repo
    ended = assay("task", "run", "--repo", named, *TITLE, *options)
    assert ended.code == 2
    # The lines may be broken anywhere.
    assert message in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
    assert query("SELECT count(*) FROM agents.tasks") == [(0,)]


def test_the_description_may_stand_in_a_file(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin, tmp_path: Path
) -> None:
    model.turns = [EDIT, finish()]
    (tmp_path / "what.md").write_text("All of it, politely.")
    run = ("task", "run", "--repo", origin.path, *TITLE, *MODEL)
    assert assay(*run, "--description-file", "what.md").code == 0
    assert query("SELECT description FROM agents.tasks") == [("All of it, politely.",)]
    assert "All of it, politely." in str(model.last_request["messages"])


def test_the_repository_may_be_the_folder_that_one_is_in(
    assay: Run,
    query: Run,
    model: ScriptedModelServer,
    origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model.turns = [EDIT, finish()]
    monkeypatch.chdir(origin.work)
    ended = assay("task", "run", "--repo", ".", *TITLE, *MODEL)
    assert ended.code == 0, ended.err
    [(branch, url)] = query("SELECT git_branch, repo_url FROM agents.tasks")
    assert url == str(origin.work)
    assert git("show", f"{branch}:src/app.py", at=origin.work) == "print('goodbye')"
    # What somebody works on there is left alone.
    assert git("status", "--porcelain", at=origin.work) == ""
    assert git("branch", "--show-current", at=origin.work) == "main"
