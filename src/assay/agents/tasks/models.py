"""The table of tasks, and of the conversation between a task and its model."""

from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.agents.agents.models import Agent
from assay.core.database import Base, CreatedAt, Id, Json, Timestamp, UpdatedAt, one_of


class TaskStatus(StrEnum):
    """Where a task stands; `waiting` is for a person, and holds no worker."""

    pending = "pending"
    running = "running"
    waiting = "waiting"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether it has begun and not come to its end."""
        return self in (TaskStatus.running, TaskStatus.waiting)

    @property
    def can_begin(self) -> bool:
        """Whether it can be started: for the first time, or once more."""
        return not self.is_active and self is not TaskStatus.completed


ACTIVE = tuple(status for status in TaskStatus if status.is_active)
ENDED = (TaskStatus.completed, TaskStatus.failed, TaskStatus.cancelled)


class TaskPriority(StrEnum):
    """How much a task matters, from the least to the most."""

    low = "low"
    medium = "medium"
    high = "high"
    urgent = "urgent"


class TaskStep(StrEnum):
    """How far a task is; each is done once, whatever happens to the workers.

    `work` is the model with its tools; the steps behind it are the control plane's.
    """

    prepare = "prepare"
    work = "work"
    commit = "commit"
    push = "push"
    pull_request = "pull_request"
    done = "done"


class Task(Base):
    """Something to be done in a repository by an agent.

    `job_id` is the job that works on it now.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_created_by_id", "created_by", "id"),
        Index("ix_tasks_project_id", "project_id"),
        Index("ix_tasks_assigned_agent_id", "assigned_agent_id"),
        Index("ix_tasks_status", "status", "id"),
        {"schema": "agents"},
    )

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(500))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[TaskStatus] = mapped_column(one_of(TaskStatus, 50), default=TaskStatus.pending)
    priority: Mapped[TaskPriority] = mapped_column(
        one_of(TaskPriority, 20), default=TaskPriority.medium
    )
    assigned_agent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey(Agent.id, ondelete="SET NULL")
    )
    git_branch: Mapped[str | None] = mapped_column(String(255))
    pull_request_url: Mapped[str | None] = mapped_column(String(2000))
    repo_url: Mapped[str | None] = mapped_column(String(2000))
    base_branch: Mapped[str | None] = mapped_column(String(255))
    # The commit that the branch was made from, and the last one that was pushed.
    base_sha: Mapped[str | None] = mapped_column(String(40))
    pushed_sha: Mapped[str | None] = mapped_column(String(40))
    step: Mapped[TaskStep] = mapped_column(one_of(TaskStep, 20), default=TaskStep.prepare)
    # What the agent says that it has done, and the text of the pull request.
    summary: Mapped[str | None] = mapped_column(Text)
    # Of all that was changed, cut where it is long; read only where it is asked for.
    diff: Mapped[str | None] = mapped_column(Text, deferred=True)
    plan: Mapped[Json | None]
    error: Mapped[str | None] = mapped_column(Text)
    cost: Mapped[float] = mapped_column(Double, default=0.0, server_default=text("0.0"))
    tokens_in: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    tokens_out: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    steps: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    # Seconds of work so far, without what it waited for people.
    seconds: Mapped[float] = mapped_column(Double, default=0.0, server_default=text("0.0"))
    project_id: Mapped[UUID | None]
    created_by: Mapped[str] = mapped_column(String(100))
    job_id: Mapped[UUID | None]
    # Of the events: the last one, and the last message of a person that the model has seen.
    last_sequence: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    read_sequence: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    started_at: Mapped[Timestamp | None]
    completed_at: Mapped[Timestamp | None]

    @property
    def tokens(self) -> int:
        """Tokens in both directions."""
        return self.tokens_in + self.tokens_out


HELD: Final[dict[str, Any]] = {"key_share": True}
"""How a task is held while it is changed: without its key, which the row of an agent that is at it
points to. Two tasks of one agent would wait for each other otherwise."""


class TaskMessage(Base):
    """One message between a task and its model, in the form of pydantic-ai; never changed.

    `position` counts from 0. All of them together are what the model is asked with again after
    a worker was killed.
    """

    __tablename__ = "task_messages"
    __table_args__ = {"schema": "agents"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    task_id: Mapped[UUID] = mapped_column(ForeignKey(Task.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    message: Mapped[Json]
    created_at: Mapped[CreatedAt]


class TaskCall(Base):
    """One call of a tool by the model, and what came of it once there is something.

    It is kept by the id that the model gave it, so that a call that was done is not done again.
    `request_id` is the consultation request that it waits for, `decision` what people said.
    """

    __tablename__ = "task_calls"
    __table_args__ = (
        Index("ix_task_calls_request_id", "request_id"),
        {"schema": "agents"},
    )

    task_id: Mapped[UUID] = mapped_column(ForeignKey(Task.id, ondelete="CASCADE"), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    tool: Mapped[str] = mapped_column(String(50))
    result: Mapped[Json | None]
    request_id: Mapped[UUID | None]
    decision: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
