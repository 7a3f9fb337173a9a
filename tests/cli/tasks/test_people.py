"""Tasks at the command line that ask people."""

from collections.abc import Callable
from typing import Any

from tests.agents.git.repositories import Origin, git
from tests.agents.tasks.end_to_end.board import call, finish

from assay.testing.scripted_model import ScriptedModelServer

Run = Callable[..., Any]
EDIT = call("edit_file", path="src/app.py", old="hello", new="goodbye")
RUN = ("task", "run", "--title", "Say goodbye", "--model", "scripted/coder", "--repo")


def test_somebody_at_the_terminal_answers(
    terminal: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        call("ask_human", question="Which word?", options=["goodbye", "farewell"]),
        call("ask_human", question="How loud?"),
        EDIT,
        finish(),
        call("write_file", path="note.txt", content="Said politely."),
        finish("Now with a note."),
    ]
    with terminal(*RUN, origin.path, "--approve", "push") as somebody:
        somebody.wait_for("2  farewell")
        somebody.wait_for("by its number > ")
        somebody.type("3\n")
        somebody.wait_for("by its number > ")
        somebody.type("2\n")
        somebody.wait_for("Which word? -- answered: farewell")
        somebody.wait_for("Your answer > ")
        somebody.type("Very softly\n")
        somebody.wait_for("How loud? -- answered: Very softly")
        somebody.wait_for("+print('goodbye')")
        somebody.wait_for("why not > ")
        somebody.type("perhaps\n")
        somebody.wait_for("why not > ")
        somebody.type("n, add a note\n")
        somebody.wait_for("denied: add a note")
        somebody.wait_for("+Said politely.")
        somebody.wait_for("why not > ")
        somebody.type("y\n")
        assert somebody.end() == 0, somebody.seen
    [(branch,)] = query("SELECT git_branch FROM agents.tasks")
    assert git("show", f"{branch}:note.txt", at=origin.path) == "Said politely."
    answers = query("SELECT user_id, comment FROM consults.responses ORDER BY created_at")
    assert answers[2:] == [("default", "add a note"), ("default", None)]


def test_what_is_typed_before_a_question_answers_nothing(
    terminal: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("run_command", command="echo started; sleep 2"), EDIT, finish()]
    with terminal(*RUN, origin.path, "--approve", "push") as somebody:
        somebody.wait_for("    started")
        somebody.type("y\n")
        somebody.wait_for("why not > ")
        somebody.type("\x03")
        assert somebody.end() == 130, somebody.seen
    assert "Traceback" not in somebody.seen
    assert query("SELECT status, pushed_sha FROM agents.tasks") == [("cancelled", None)]
    assert query("SELECT status FROM consults.consultation_requests") == [("cancelled",)]
    assert query("SELECT DISTINCT status FROM agents.sandboxes") == [("destroyed",)]


def test_a_task_that_was_left_waiting_is_answered_and_goes_on_later(
    assay: Run, terminal: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("run_command", command="rm -rf src"), EDIT, finish()]
    left = assay(*RUN, origin.path, "--approve", "run_command", "--no-wait")
    assert left.code == 3, left.err
    [(task_id,)] = query("SELECT id FROM agents.tasks")
    assert f"assay task watch {task_id} --work" in left.err
    with terminal("task", "watch", task_id) as somebody:
        somebody.wait_for("command: rm -rf src")
        somebody.wait_for("why not > ")
        somebody.type("\x04")
        somebody.wait_for("It is left open")
        somebody.type("\x03")
        assert somebody.end() == 130
    assert query("SELECT status FROM agents.tasks") == [("waiting",)]
    with terminal("task", "watch", "last", "--work") as somebody:
        somebody.wait_for("command: rm -rf src")
        somebody.wait_for("why not > ")
        somebody.type("n\n")
        somebody.wait_for("no reason) > ")
        somebody.type("It is needed\n")
        assert somebody.end() == 0, somebody.seen
    assert "It is needed" in str(model.last_request["messages"])


def test_without_a_terminal_it_says_where_to_answer_and_waits(
    spawn: Run, terminal: Run, query: Run, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [call("ask_human", question="Which word?"), EDIT, finish()]
    with spawn(*RUN, origin.path) as command:
        command.wait_for("Waiting for a person: Which word")
        [(request_id,)] = query("SELECT id FROM consults.consultation_requests")
        command.wait_for(rf"curl http://127.0.0.1:8721/api/v1/requests/{request_id}/respond")
        with terminal("task", "watch", "last") as somebody:
            somebody.wait_for("Your answer > ")
            somebody.type("goodbye\n")
            assert somebody.end() == 0, somebody.seen
        ended = command.wait()
    assert ended.code == 0, ended.err
    assert "? Which word?\nThe task waits for a person.\n" in ended.out
