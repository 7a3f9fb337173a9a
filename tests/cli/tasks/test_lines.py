"""What is printed of the events of a task."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from assay.agents.tasks.events.models import TaskEvent, TaskEventKind
from assay.cli.tasks.calls import OUTPUT_LINES, RESULT_LINES, describe_call
from assay.cli.tasks.lines import Lines


class Shown:
    """A view, and what it has printed since it was last looked at."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self._lines = Lines(Console(file=self._file, highlight=False, width=140))
        self._sequence = 0

    def tell(self, kind: str, **payload: Any) -> None:
        """Let an event happen."""
        self._sequence += 1
        event = TaskEvent(
            sequence=self._sequence,
            kind=TaskEventKind(kind),
            payload=payload,
            created_at=datetime.now(UTC),
        )
        self._lines.event(event)

    def call(self, call_id: str, tool: str = "run_command", **arguments: Any) -> None:
        """Let a tool be called."""
        self.tell("tool_call", call_id=call_id, tool=tool, arguments=arguments)

    def result(self, call_id: str, text: str, outcome: str = "done") -> None:
        """Let a call end."""
        result = {"text": text, "outcome": outcome}
        self.tell("output", call_id=call_id, tool="run_command", result=result)

    def lines(self) -> list[str]:
        """What was printed."""
        printed = self._file.getvalue().splitlines()
        self._file.seek(0)
        self._file.truncate()
        return printed


@pytest.fixture
def shown() -> Shown:
    """A view without a terminal."""
    return Shown()


def test_output_comes_in_whole_lines_and_is_capped(shown: Shown) -> None:
    shown.call("a", command="make test")
    shown.tell("output", call_id="a", text="one\ntw")
    assert shown.lines() == ["* run_command make test", "    one"]
    shown.tell("output", call_id="a", text="o\n")
    assert shown.lines() == ["    two"]
    shown.tell("output", call_id="a", text="x\n" * 100 + "the end")
    shown.result("a", "exit code 0\none\ntwo")
    rest = OUTPUT_LINES - 2
    assert shown.lines() == ["    x"] * rest + [
        f"    … {101 - rest} more lines",
        "    exit code 0",
    ]


def test_a_progress_bar_is_shown_in_its_last_state(shown: Shown) -> None:
    shown.call("a", command="fetch")
    shown.tell("output", call_id="a", text="10 %\r50 %\r")
    shown.tell("output", call_id="a", text="100 %\r\ndone")
    shown.result("a", "exit code 0")
    assert shown.lines()[1:] == ["    100 %", "    done", "    exit code 0"]


def test_calls_side_by_side_are_told_apart(shown: Shown) -> None:
    shown.call("a", command="make a")
    shown.call("b", command="make b")
    shown.tell("output", call_id="b", text="of b\n")
    shown.tell("output", call_id="a", text="of a\n")
    shown.result("b", "exit code 1", "failed")
    assert shown.lines() == [
        "* run_command make a",
        "* run_command make b",
        "    of b",
        "  run_command make a:",
        "    of a",
        "  run_command make b:",
        "    exit code 1",
    ]


def test_long_results_and_lines_are_cut(shown: Shown) -> None:
    shown.call("a", "read_file", path="big.txt")
    shown.result("a", "\n".join(["y" * 1000] * 10))
    lines = shown.lines()
    assert len(lines) == 1 + RESULT_LINES + 1
    assert all(len(line) < 210 for line in lines)
    assert lines[1].endswith("y …")
    assert lines[-1] == f"    … {10 - RESULT_LINES} more lines"


def test_nothing_that_a_terminal_obeys_gets_through(shown: Shown) -> None:
    evil = "\x1b]52;c;cm0gLXJm\x07\x1b[2J\x9b1A\u202ety\u2066"
    shown.tell("message", role="agent", text=evil)
    shown.call("a", command=f"echo {evil}")
    shown.tell("output", call_id="a", text=f"{evil}\n")
    shown.result("a", f"exit code 0{evil}")
    shown.tell("question", request_id="1", title=evil)
    shown.tell("status", plan=[{"step": evil, "status": "pending"}])
    printed = "".join(shown.lines())
    assert printed
    assert not set(printed) & set("\x1b\x07\x9b\u202e\u2066")


def test_square_brackets_are_no_markup(shown: Shown) -> None:
    shown.tell("message", role="agent", text="[red]a[/red] list[0]")
    assert shown.lines() == ["[red]a[/red] list[0]"]


def test_people_and_the_program_are_told_apart(shown: Shown) -> None:
    shown.tell("message", role="user", text="Leave the API.", by="ada")
    shown.tell("message", role="user", text="The sandbox was lost.")
    assert shown.lines() == ["A person: Leave the API.", "Assay: The sandbox was lost."]


def test_questions_and_their_answers_are_shown(shown: Shown) -> None:
    shown.tell("question", request_id="1", title="Push to main?")
    shown.tell("status", status="waiting", step="push")
    shown.tell(
        "question",
        request_id="1",
        status="answered",
        by=["ada"],
        decision={"verdict": "denied", "text": "not on Fridays"},
    )
    shown.tell("status", status="running", step="push")
    shown.tell("status", status="running", step="push")
    shown.tell("question", request_id="2", title="Which word?")
    shown.tell("question", request_id="2", call_id="c", status="cancelled")
    assert shown.lines() == [
        "? Push to main?",
        "The task waits for a person.",
        "! Push to main? -- denied by ada: not on Fridays",
        "-- push",
        "? Which word?",
        "! Which word? -- taken back",
    ]


def test_a_pause_says_why_and_how_long(shown: Shown) -> None:
    shown.tell("status", status="running", error="The model is away.", again_in=30.0)
    assert shown.lines() == ["The model is away. It is tried again in 30 s."]


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        ("run_command", {"command": "make\ntest"}, "run_command make …"),
        ("search", {"path": "src", "pattern": "def x"}, "search def x"),
        ("apply_patch", {"patch": "@@"}, 'apply_patch {"patch":"@@"}'),
        ("list_files", {}, "list_files"),
    ],
)
def test_a_call_is_one_line(tool: str, arguments: dict[str, Any], line: str) -> None:
    assert describe_call(tool, arguments) == line
