"""The table of git operations."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import Double, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from assay.agents.sandboxes.models import Sandbox
from assay.agents.tasks.models import Task
from assay.core.database import Base, CreatedAt, Id, one_of


class OperationType(StrEnum):
    """What was done with git."""

    clone = "clone"
    branch = "branch"
    commit = "commit"
    push = "push"
    pull_request = "pull_request"


class OperationStatus(StrEnum):
    """Where an operation stands."""

    running = "running"
    completed = "completed"
    failed = "failed"


class GitOperation(Base):
    """One step with git, with its commit or its error; `duration` in seconds."""

    __tablename__ = "git_operations"
    __table_args__ = (
        Index("ix_git_operations_task_id_id", "task_id", "id"),
        Index("ix_git_operations_sandbox_id", "sandbox_id"),
        {"schema": "agents"},
    )

    id: Mapped[Id]
    task_id: Mapped[UUID] = mapped_column(ForeignKey(Task.id, ondelete="CASCADE"))
    sandbox_id: Mapped[str | None] = mapped_column(
        ForeignKey(Sandbox.id, ondelete="SET NULL", onupdate="CASCADE")
    )
    operation_type: Mapped[OperationType] = mapped_column(one_of(OperationType, 50))
    status: Mapped[OperationStatus] = mapped_column(
        one_of(OperationStatus, 50), default=OperationStatus.running
    )
    commit_sha: Mapped[str | None] = mapped_column(String(40))
    error_message: Mapped[str | None] = mapped_column(Text)
    duration: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[CreatedAt]
