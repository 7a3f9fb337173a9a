"""A task as JSON, one object a line."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import orjson

from assay.agents.agents.models import Agent
from assay.agents.git.models import GitOperation
from assay.agents.tasks.events.models import TaskEvent
from assay.agents.tasks.models import Task
from assay.agents.tasks.schemas import GitOperationRead, TaskRead
from assay.cli.tasks.diffstat import diffstat


class JsonLines:
    """Prints each thing that happens as one line of JSON.

    Every line has `kind`, `payload` and `created_at`. Events have their `sequence`, and the kinds
    that the API knows; beside them there are `task` (first), `git_operation` and `end` (last).
    """

    def begin(self, task: Task, agent: Agent | None) -> None:
        """Print the task."""
        _line("task", {**as_json(task), "agent": agent.name if agent else None}, task.created_at)

    def event(self, event: TaskEvent) -> None:
        """Print an event."""
        _line(event.kind, event.payload, event.created_at, sequence=event.sequence)

    def operation(self, operation: GitOperation) -> None:
        """Print a step with git."""
        row = GitOperationRead.model_validate(operation).model_dump(mode="json")
        _line("git_operation", row, operation.created_at)

    def end(self, task: Task) -> None:
        """Print the task as it is now, with the files that it has changed."""
        files = [
            {
                "path": each.path,
                "added": each.added,
                "removed": each.removed,
                "binary": each.binary,
            }
            for each in diffstat(task.diff or "")
        ]
        _line("end", {**as_json(task), "files": files}, task.updated_at)


def as_json(task: Task) -> Mapping[str, Any]:
    """A task as the API gives it."""
    return TaskRead.model_validate(task).model_dump(mode="json")


def print_json(value: object) -> None:
    """Print a JSON value for programs, over several lines."""
    _write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _line(kind: str, payload: Mapping[str, Any], created_at: object, **more: object) -> None:
    told = {"kind": kind, **more, "payload": payload, "created_at": created_at}
    _write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))


def _write(line: bytes) -> None:
    try:
        sys.stdout.buffer.write(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # As rich does it, so that there is one way to hear that nobody reads any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
