"""What the work on a task writes down, so that another worker can go on from it.

Every write holds the job: a worker that has lost it writes nothing any more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.agents.models import Agent
from assay.agents.agents.service import show_state
from assay.agents.git.operations import fail_unfinished
from assay.agents.tasks.asks import Ask
from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.events.service import Payload, unread_messages, write_events
from assay.agents.tasks.models import HELD, Task, TaskCall, TaskMessage, TaskStatus, TaskStep
from assay.agents.tasks.service import end_task
from assay.agents.tasks.storable import storable
from assay.agents.tasks.tools.desk import CallResult, Decision
from assay.jobs import service as jobs
from assay.jobs.handler import RunningJob
from assay.jobs.service import LostJob

Event = tuple[TaskEventKind, Payload]


@dataclass(slots=True)
class Spent:
    """What was used since it was last written down."""

    cost: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    steps: int = 0

    def add(self, cost: float | None, tokens_in: int, tokens_out: int) -> None:
        """Add one answer of a model."""
        self.cost += cost or 0.0
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.steps += 1


@dataclass(frozen=True, slots=True)
class Told:
    """What people have said that the model has not seen, and how far that goes."""

    texts: Sequence[str]
    until: int


class Journal:
    """The writes of one job about its task."""

    def __init__(self, job: RunningJob, task_id: UUID) -> None:
        """Write about a task on behalf of a job."""
        self._job = job
        self._database = job.database
        self.task_id = task_id
        self.spent = Spent()
        self._since = time.monotonic()
        self._kept = 0

    async def take_over(self) -> None:
        """Say of what another worker was at when it was killed that it came to nothing known.

        Raises:
            LostJob
        """
        async with self._database.session() as session:
            await self._job.hold(session)
            await fail_unfinished(session, self.task_id)

    async def load(self) -> tuple[Task, Agent] | None:
        """The task and its agent, or `None` where the task is not to be worked on."""
        async with self._database.session() as session:
            task = await session.get(Task, self.task_id)
            if task is None or task.status is not TaskStatus.running:
                return None
            agent = await session.get(Agent, task.assigned_agent_id)
            return None if agent is None else (task, agent)

    async def write(self, *events: Event, **fields: Any) -> None:
        """Change fields of the task and write events, in one transaction.

        Raises:
            LostJob: another worker has the task, or it was cancelled.
        """
        async with self._database.session() as session:
            await self._write(session, *events, **fields)

    async def _write(self, session: AsyncSession, *events: Event, **fields: Any) -> None:
        spent, self.spent = self.spent, Spent()
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        await jobs.hold_and_move_on(session, self._job.id, self._job.attempt)
        held = await session.scalar(
            update(Task)
            .where(Task.id == self.task_id, Task.status == TaskStatus.running)
            .values(
                cost=Task.cost + spent.cost,
                tokens_in=Task.tokens_in + spent.tokens_in,
                tokens_out=Task.tokens_out + spent.tokens_out,
                steps=Task.steps + spent.steps,
                seconds=Task.seconds + seconds,
                **fields,
            )
            .returning(Task.id)
            .execution_options(synchronize_session=False)
        )
        if held is None:
            raise LostJob
        if events:
            await write_events(session, self.task_id, *events)

    async def enter(self, step: TaskStep, **fields: Any) -> None:
        """Write down that the task is at another step."""
        status = {"status": TaskStatus.running, "step": step}
        await self.write((TaskEventKind.status, status), step=step, **fields)

    async def tell_of_pause(self, reason: str, seconds: float) -> None:
        """Tell that the work goes on later, which is no progress of the job.

        Raises:
            LostJob
        """
        told = {"status": TaskStatus.running, "error": storable(reason), "again_in": seconds}
        async with self._database.session() as session:
            await self._job.hold(session)
            await write_events(session, self.task_id, (TaskEventKind.status, told))

    async def messages(self) -> list[ModelMessage]:
        """The conversation so far."""
        query = select(TaskMessage.message).where(TaskMessage.task_id == self.task_id)
        async with self._database.reading() as session:
            rows = (await session.scalars(query.order_by(TaskMessage.position))).all()
        self._kept = len(rows)
        return ModelMessagesTypeAdapter.validate_python(list(rows))

    async def keep(self, messages: Sequence[ModelMessage], *events: Event, **fields: Any) -> None:
        """Keep what is new of a conversation, with what is told of it."""
        first = max(0, min(self._kept, len(messages)) - 1)
        rows = [
            {"task_id": self.task_id, "position": first + number, "message": storable(message)}
            for number, message in enumerate(
                ModelMessagesTypeAdapter.dump_python(list(messages[first:]), mode="json")
            )
        ]
        async with self._database.session() as session:
            await self._write(session, *events, **fields)
            if rows:
                new = insert(TaskMessage)
                await session.execute(
                    new.on_conflict_do_update(
                        index_elements=[TaskMessage.task_id, TaskMessage.position],
                        set_={"message": new.excluded.message},
                    ),
                    rows,
                )
        self._kept = len(messages)

    async def calls(self) -> tuple[dict[str, CallResult], dict[str, Decision]]:
        """The results and the decisions of calls so far, by the ids of the calls."""
        query = select(TaskCall).where(TaskCall.task_id == self.task_id)
        async with self._database.reading() as session:
            rows = (await session.scalars(query)).all()
        results = {row.call_id: row.result for row in rows if row.result is not None}
        decisions = {
            row.call_id: Decision.model_validate(row.decision)
            for row in rows
            if row.decision is not None
        }
        return results, decisions

    async def keep_result(self, call_id: str, tool: str, result: CallResult) -> None:
        """Keep what came of a call, before its model sees it."""
        call = {"task_id": self.task_id, "call_id": call_id, "tool": tool}
        async with self._database.session() as session:
            await self._job.hold(session)
            await session.execute(
                insert(TaskCall)
                .values(**call, result=dict(result))
                .on_conflict_do_update(
                    index_elements=[TaskCall.task_id, TaskCall.call_id],
                    set_={"result": dict(result)},
                )
            )
            told = {"call_id": call_id, "tool": tool, "result": result}
            await write_events(session, self.task_id, (TaskEventKind.output, told))

    async def unread(self) -> Told | None:
        """What people have said since the model last looked."""
        async with self._database.reading() as session:
            events = await unread_messages(session, self.task_id)
        if not events:
            return None
        return Told([event.payload["text"] for event in events], events[-1].sequence)

    async def complete(self, status: TaskStatus, error: str | None = None) -> None:
        """Bring the task to its end, and the job with it.

        Raises:
            LostJob
        """
        async with self._database.session() as session:
            await self._write(session)
            await self._job.complete(session)
            task = await session.get_one(Task, self.task_id, with_for_update=HELD)
            await end_task(session, task, status, error)

    async def wait(self, *asked: Ask) -> None:
        """Ask people, and let the task wait for them; the job ends with that.

        Raises:
            LostJob
        """
        async with self._database.session() as session:
            await self._write(session)
            await self._job.complete(session)
            task = await session.get_one(Task, self.task_id, with_for_update=HELD)
            events: list[Event] = []
            for each in asked:
                request_id = await each.put(session, task)
                question = {"request_id": str(request_id), **each.told()}
                events.append((TaskEventKind.question, question))
            task.status = TaskStatus.waiting
            await session.flush()
            status = {"status": task.status, "step": task.step}
            await write_events(session, task.id, *events, (TaskEventKind.status, status))
            await show_state(session, task.assigned_agent_id)
