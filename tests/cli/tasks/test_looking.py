"""`assay task list`, `show`, `watch` and `cancel`."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.agents.git.repositories import ENVIRONMENT, Origin
from tests.agents.tasks.end_to_end.board import call, finish

from assay.testing.scripted_model import ScriptedModelServer

Run = Callable[..., Any]
EDIT = call("edit_file", path="src/app.py", old="hello", new="goodbye")
RUN = ("task", "run", "--title", "Say goodbye", "--model", "scripted/coder", "--repo")


def test_a_task_is_listed_shown_and_watched_again(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [EDIT, finish("It says goodbye.")]
    done = assay(*RUN, origin.path)
    assert done.code == 0, done.err
    [(task_id, branch, sha)] = query("SELECT id, git_branch, pushed_sha FROM agents.tasks")

    listed = assay("task", "list")
    assert listed.code == 0
    assert f"{task_id} │ completed │ Say goodbye │ cli" in listed.out
    assert branch in listed.out
    assert json.loads(assay("task", "list", "--json").out)[0]["id"] == str(task_id)
    assert json.loads(assay("task", "list", "--json", "--status", "failed").out) == []

    shown = assay("task", "show", task_id)
    assert shown.code == 0
    assert f"git push  {sha[:12]}" in shown.out
    assert "It says goodbye." in shown.out
    told = json.loads(assay("task", "show", "last", "--json").out)
    assert (told["id"], told["pushed_sha"]) == (str(task_id), sha)
    assert [each["operation_type"] for each in told["git_operations"]] == [
        "clone",
        "branch",
        "commit",
        "push",
    ]

    # All but what is told of the task at its end by the command that has done it.
    assert assay("task", "watch", task_id).out == done.out
    [(last,)] = query("SELECT last_sequence FROM agents.tasks")
    rest = assay("task", "watch", "last", "--json", "--after", last - 1).out.splitlines()
    kinds = [json.loads(line)["kind"] for line in rest]
    assert kinds == ["task", "status", "end"]


def test_the_diff_is_one_that_git_takes(
    assay: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        EDIT,
        call("run_command", command="printf 'caf\\351\\r\\n' > latin.txt; rm src/*.txt; true"),
        finish(),
    ]
    assert assay(*RUN, origin.path).code == 0
    shown = assay("task", "show", "last", "--diff")
    assert shown.code == 0
    assert "+print('goodbye')" in shown.out.splitlines()
    checked = subprocess.run(
        ["git", "apply", "--check", "--include=src/app.py", "-"],
        cwd=origin.work,
        env=ENVIRONMENT,
        input=shown.out.encode(),
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_a_task_that_waits_can_be_cancelled(
    assay: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("ask_human", question="Which word?"), finish()]
    assert assay(*RUN, origin.path, "--no-wait").code == 3
    assert [task["status"] for task in json.loads(assay("task", "list", "--json").out)] == [
        "waiting"
    ]
    cancelled = assay("task", "cancel", "last")
    assert cancelled.code == 0, cancelled.err
    assert query("SELECT status FROM agents.tasks") == [("cancelled",)]
    assert query("SELECT status FROM consults.consultation_requests") == [("cancelled",)]
    again = assay("task", "cancel", "last")
    assert again.code == 2
    assert "Traceback" not in again.err
    watched = assay("task", "watch", "last")
    assert watched.code == 1
    assert "? Which word?" in watched.out.splitlines()
    assert "Cancelled" in watched.out.splitlines()


@pytest.mark.usefixtures("query")
def test_what_is_not_there_is_said(assay: Run) -> None:
    nothing = assay("task", "show", "last")
    assert nothing.code == 2
    assert "There are no tasks yet" in nothing.err
    odd = assay("task", "watch", "first")
    assert odd.code == 2
    assert "first is no id of a task" in odd.err
    unknown = assay("task", "cancel", "019abf3c-6f0c-7d1e-9a55-8b0f4f4c2d11")
    assert unknown.code == 2
    assert "There is no task 019abf3c" in unknown.err
    assert assay("task", "list", "--json").out == "[]\n"
