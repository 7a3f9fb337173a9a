"""Write the events of a task, and read them again."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.tasks.events.models import TaskEvent, TaskEventKind
from assay.agents.tasks.models import Task

Payload = Mapping[str, Any]


async def write_events(
    session: AsyncSession, task_id: UUID, *events: tuple[TaskEventKind, Payload]
) -> int:
    """Write events of a task, in the transaction of what they tell of; gives the last sequence.

    Whoever else writes events of the task waits until the transaction ends, so that those who
    follow see no event before an earlier one.
    """
    last = await session.scalar(
        update(Task)
        .where(Task.id == task_id)
        .values(last_sequence=Task.last_sequence + len(events))
        .returning(Task.last_sequence)
        .execution_options(synchronize_session=False)
    )
    if last is None:
        return 0
    first = last - len(events) + 1
    session.add_all(
        TaskEvent(task_id=task_id, sequence=first + number, kind=kind, payload=dict(payload))
        for number, (kind, payload) in enumerate(events)
    )
    await session.flush()
    return int(last)


async def read_events(
    session: AsyncSession, task_id: UUID, *, after: int, limit: int
) -> Sequence[TaskEvent]:
    """The first `limit` events of a task behind the sequence `after`, in their order."""
    query = select(TaskEvent).where(TaskEvent.task_id == task_id, TaskEvent.sequence > after)
    return (await session.scalars(query.order_by(TaskEvent.sequence).limit(limit))).all()


async def unread_messages(session: AsyncSession, task_id: UUID) -> Sequence[TaskEvent]:
    """What people have said to a task that its model has not seen yet."""
    read = select(Task.read_sequence).where(Task.id == task_id)
    query = select(TaskEvent).where(
        TaskEvent.task_id == task_id,
        TaskEvent.sequence > read.scalar_subquery(),
        TaskEvent.kind == TaskEventKind.message,
        TaskEvent.payload["role"].astext == "user",
    )
    return (await session.scalars(query.order_by(TaskEvent.sequence))).all()
