"""The table of task events."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.agents.tasks.models import Task
from assay.core.database import Base, CreatedAt, Id, Json, one_of

CHANNEL = "assay_tasks"
"""Notified by the database with the id of each task that has new events."""


class TaskEventKind(StrEnum):
    """What an event of a task tells of."""

    message = "message"
    tool_call = "tool_call"
    output = "output"
    status = "status"
    question = "question"


class TaskEvent(Base):
    """Something that happened in a task. `sequence` counts from 1 without gaps in each task.

    Payloads: of a message `{role: agent | user, text}`; of a tool call `{call_id, tool,
    arguments}`; of output `{call_id, text}` (a piece) or `{call_id, result, error?}` (the end of
    the call); of a status `{status, step?, error?, ...}`; of a question `{request_id, title}`.
    """

    __tablename__ = "task_events"
    __table_args__ = (UniqueConstraint("task_id", "sequence"), {"schema": "agents"})

    id: Mapped[Id]
    task_id: Mapped[UUID] = mapped_column(ForeignKey(Task.id, ondelete="CASCADE"))
    sequence: Mapped[int]
    kind: Mapped[TaskEventKind] = mapped_column(one_of(TaskEventKind, 20))
    payload: Mapped[Json]
    created_at: Mapped[CreatedAt]
