"""The calls of tools of a task as lines: what is called, what it writes, what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from assay.cli.safe_text import first_line, last_state, plain, safe

OUTPUT_LINES = 40
"""What is shown of what a command writes."""

RESULT_LINES = 6
WIDTH = 200
# What says most about a call, the best first.
_TELLING = ("command", "pattern", "path", "question")
# Its plan is shown by itself.
_PLANNING = "update_plan"


@dataclass(slots=True)
class _Call:
    """A call under way: its name, how much of its output was shown, and a line begun."""

    title: str
    tool: str
    shown: int = 0
    left_out: int = 0
    begun: str = ""
    wrote: bool = field(default=False)


class Calls:
    """Shows calls; those that run side by side are told apart."""

    def __init__(self, console: Console) -> None:
        """Print to `console`."""
        self._console = console
        self._open: dict[str, _Call] = {}
        self._last: str | None = None

    def called(self, payload: Mapping[str, Any]) -> None:
        """A tool is called."""
        call = _Call(describe_call(payload["tool"], payload["arguments"]), payload["tool"])
        self._open[payload["call_id"]] = call
        self._last = payload["call_id"]
        if call.tool != _PLANNING:
            line = Text("* ", style="cyan").append(call.title, style="bold")
            self._console.print(line, soft_wrap=True)

    def wrote(self, payload: Mapping[str, Any]) -> None:
        """A command has written something."""
        call = self._turn_to(payload["call_id"])
        lines = (call.begun + payload["text"]).split("\n")
        call.begun = lines.pop()
        call.wrote = True
        for line in lines:
            self._output(call, last_state(line))

    def ended(self, payload: Mapping[str, Any]) -> None:
        """A call has come to its end."""
        call = self._turn_to(payload["call_id"], payload.get("tool", ""))
        if call.begun:
            self._output(call, last_state(call.begun))
        if call.left_out:
            self._dim(f"… {call.left_out:,} more lines")
        del self._open[payload["call_id"]]
        result = payload["result"]
        if call.tool == _PLANNING and result["outcome"] == "done":
            return
        lines = result["text"].splitlines() or ["(nothing)"]
        if call.wrote:
            # The rest is the output, which was shown already.
            lines = lines[:1]
        style = "dim" if result["outcome"] == "done" else "red"
        for line in lines[:RESULT_LINES]:
            self._console.print(_indented(line, style), soft_wrap=True)
        if len(lines) > RESULT_LINES:
            self._dim(f"… {len(lines) - RESULT_LINES:,} more lines")

    def _turn_to(self, call_id: str, tool: str = "") -> _Call:
        """The call, with its name again where another one was shown in between."""
        call = self._open.setdefault(call_id, _Call(tool, tool))
        if self._last != call_id and call.tool != _PLANNING:
            self._console.print(Text(f"  {call.title}:", style="cyan"), soft_wrap=True)
        self._last = call_id
        return call

    def _output(self, call: _Call, line: str) -> None:
        if call.shown >= OUTPUT_LINES:
            call.left_out += 1
            return
        call.shown += 1
        self._console.print(_indented(line, "dim"), soft_wrap=True)

    def _dim(self, text: str) -> None:
        self._console.print(Text(f"    {text}", style="dim"), soft_wrap=True)


def describe_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """A call in a line."""
    about = next((str(arguments[name]) for name in _TELLING if arguments.get(name)), None)
    if about is None:
        about = orjson.dumps(arguments).decode() if arguments else ""
    return safe(f"{tool} {first_line(about, WIDTH)}".rstrip())


def _indented(line: str, style: str) -> Text:
    return Text(f"    {first_line(plain(line.rstrip()), WIDTH)}", style=style)
