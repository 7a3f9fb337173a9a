"""What a task asks people: leave for a call or for a step, or an answer."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.people import People, TaskQuestion
from assay.agents.tasks.answers import ANSWERED_JOB
from assay.agents.tasks.models import Task, TaskCall
from assay.agents.tasks.storable import storable
from assay.identity.actor import job_actor
from assay.jobs.service import NewJob

LONGEST_TITLE = 255
LONGEST_TEXT = 40_000
# The call that stands for leave to reach the network.
NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Ask:
    """Something that a task asks.

    Attributes:
        people: whom it asks.
        call_id: the call that waits, or the name of the step.
        tool: the tool that is called, or the name of the step.
        title: what is asked, in a line.
        approval: whether it is for leave.
        arguments: those of the call, which people see, and which an approval is bound to.
        description: what else people are told, Markdown.
        options: answers to choose from.
        edits: the JSON Schema of what people may change about the arguments.
        with_diff: whether people have to see all that the task has changed.
    """

    people: People
    call_id: str
    tool: str
    title: str
    approval: bool
    arguments: Mapping[str, Any]
    description: str | None = None
    options: tuple[str, ...] = ()
    edits: Mapping[str, Any] | None = None
    with_diff: bool = False

    async def put(self, session: AsyncSession, task: Task) -> UUID:
        """Write the request, and which call waits for it; gives its id."""
        assert task.assigned_agent_id is not None
        about = {"task_id": str(task.id), "call_id": self.call_id}
        subject = orjson.dumps([self.tool, self.arguments], option=orjson.OPT_SORT_KEYS)
        question = TaskQuestion(
            title=self._title(),
            description=None if self.description is None else _cut(self.description),
            approval=self.approval,
            context=await self._context(session, task),
            metadata=about,
            agent_id=task.assigned_agent_id,
            project_id=task.project_id,
            wakes=NewJob(ANSWERED_JOB, {**about, "approval": self.approval}, parent_id=task.id),
            options=self.options,
            edits=self.edits,
            subject_hash=f"sha256:{hashlib.sha256(subject).hexdigest()}",
        )
        request_id = await self.people.ask(session, job_actor(task.created_by), question)
        waits = {"request_id": request_id, "decision": None}
        call = {"task_id": task.id, "call_id": self.call_id, "tool": self.tool}
        await session.execute(
            insert(TaskCall)
            .values(**call, **waits)
            .on_conflict_do_update(index_elements=[TaskCall.task_id, TaskCall.call_id], set_=waits)
        )
        return request_id

    def told(self) -> Mapping[str, Any]:
        """What those who follow the task are told of it."""
        return {"call_id": self.call_id, "tool": self.tool, "title": self._title()}

    async def _context(self, session: AsyncSession, task: Task) -> Mapping[str, Any]:
        context = {
            "task": task.title,
            "repository": task.repo_url,
            "branch": task.git_branch,
            "call": {"tool": self.tool, "arguments": _shown(dict(self.arguments))},
        }
        if not self.with_diff:
            return context
        diff = await session.scalar(select(Task.diff).where(Task.id == task.id))
        return {**context, "diff": _cut(diff or "")}

    def _title(self) -> str:
        title = " ".join(storable(self.title).split()) or self.tool
        return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"


def _shown(value: Any) -> Any:
    """Arguments as people are shown them, who need not read megabytes."""
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def _cut(text: str) -> str:
    left = len(text) - LONGEST_TEXT
    return text if left <= 0 else f"{text[:LONGEST_TEXT]}\n[{left:,} more characters]"


def ask_for_network(people: People, task: Task, hosts: Sequence[str]) -> Ask:
    """Ask whether the sandbox of a task may reach the network; without leave it has none."""
    return Ask(
        people=people,
        call_id=NETWORK,
        tool=NETWORK,
        title=f"Let the sandbox reach {', '.join(hosts)}?",
        approval=True,
        arguments={"hosts": list(hosts)},
        description=task.description or task.title,
    )
