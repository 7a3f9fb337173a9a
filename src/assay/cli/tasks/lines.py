"""A task as lines for people, with colours where they are seen."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from assay.agents.agents.models import Agent
from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.git.models import GitOperation, OperationStatus
from assay.agents.tasks.events.models import TaskEvent, TaskEventKind
from assay.agents.tasks.models import Task, TaskStatus, TaskStep
from assay.cli.safe_text import safe
from assay.cli.tasks.calls import Calls
from assay.cli.tasks.ending import print_end
from assay.identity.actor import LOCAL_USER

_MARKS = {"completed": "[x]", "in_progress": "[>]", "pending": "[ ]"}
SHORT_SHA = 12


class Lines:
    """Prints what happens, a line or a few for each thing."""

    def __init__(self, console: Console, *, asks_here: bool = False) -> None:
        """Print to `console`; open questions are left to who asks them here, if somebody does."""
        self._console = console
        self._asks_here = asks_here
        self._titles: dict[str, str] = {}
        self._calls = Calls(console)
        self._step: str | None = None
        self._told = {
            TaskEventKind.message: self._message,
            TaskEventKind.tool_call: self._calls.called,
            TaskEventKind.output: self._output,
            TaskEventKind.status: self._status,
            TaskEventKind.question: self._question,
        }

    def begin(self, task: Task, agent: Agent | None) -> None:
        """Print which task it is, and who does it."""
        self._print(f"Task {task.id}: {task.title}", "bold")
        self._print(f"Repository {task.repo_url or 'not named yet'}")
        self._print(describe_agent(agent) if agent else "Nobody is to do it yet")

    def event(self, event: TaskEvent) -> None:
        """Print an event."""
        self._told[event.kind](event.payload)

    def operation(self, operation: GitOperation) -> None:
        """Print a step with git."""
        parts = [f"git {operation.operation_type.replace('_', ' ')}"]
        if operation.commit_sha:
            parts.append(operation.commit_sha[:SHORT_SHA])
        if operation.duration is not None:
            parts.append(f"{operation.duration:.1f} s")
        if operation.status is OperationStatus.failed:
            self._print(f"{'  '.join(parts)}  failed: {operation.error_message}", "red")
        else:
            self._print("  ".join(parts), "magenta")

    def end(self, task: Task) -> None:
        """Print what came of it."""
        self._console.print()
        print_end(self._console, task)

    def _message(self, payload: Mapping[str, Any]) -> None:
        if payload["role"] == "agent":
            self._print(payload["text"].strip())
            return
        by = payload.get("by")
        self._print(f"{'Assay' if by is None else 'A person'}: {payload['text']}", "yellow")

    def _output(self, payload: Mapping[str, Any]) -> None:
        if "result" in payload:
            self._calls.ended(payload)
        else:
            self._calls.wrote(payload)

    def _status(self, payload: Mapping[str, Any]) -> None:
        if plan := payload.get("plan"):
            self._print("Plan", "bold")
            for each in plan:
                self._print(f"  {_MARKS[each['status']]} {each['step']}")
            return
        if again_in := payload.get("again_in"):
            self._print(f"{payload['error']} It is tried again in {again_in:.0f} s.", "yellow")
            return
        status, step = payload.get("status"), payload.get("step")
        if status == TaskStatus.waiting:
            if not self._asks_here:
                self._print("The task waits for a person.", "yellow")
        elif status == TaskStatus.running and step not in (self._step, TaskStep.done):
            self._step = step
            self._print(f"-- {str(step).replace('_', ' ')}", "blue")

    def _question(self, payload: Mapping[str, Any]) -> None:
        request_id = payload["request_id"]
        if "title" in payload:
            self._titles[request_id] = payload["title"]
            if not self._asks_here:
                self._print(f"? {payload['title']}", "bold yellow")
            return
        title, status = self._titles.get(request_id, "A question"), payload["status"]
        if (decision := payload.get("decision")) is None:
            self._print(f"! {title} -- taken back", "yellow")
            return
        who = ", ".join(each for each in payload["by"] if each != LOCAL_USER)
        said = f"{decision['verdict']}{f' by {who}' if who else ''}"
        text = decision["text"] or ("" if status == "answered" else str(status))
        self._print(f"! {title} -- {said}{f': {text}' if text else ''}", "yellow")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(safe(text), style=style), soft_wrap=True)


def describe_agent(agent: Agent) -> str:
    """Who works with what, up to which limits, and what needs leave."""
    policy = ApprovalPolicy.model_validate(agent.approval_policy)
    limits = [f"{agent.max_steps:,} turns", f"{agent.max_seconds:,} s"]
    if agent.max_cost is not None:
        limits.append(f"${agent.max_cost:g}")
    asks = [name for name in ("push", "pull_request", "network") if getattr(policy, name)]
    asks += [*policy.tools, *(f"commands like {pattern}" for pattern in policy.commands)]
    asking = f"; asks before {', '.join(asks)}" if asks else ""
    return (
        f"{agent.name} with {agent.model or 'no model yet'}, sandbox {agent.provider}, up to "
        f"{', '.join(limits)}{asking}"
    )
