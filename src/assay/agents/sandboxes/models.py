"""The table of sandboxes."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.agents.agents.models import Agent
from assay.agents.tasks.models import Task
from assay.core.database import Base, CreatedAt, Timestamp, one_of


class SandboxStatus(StrEnum):
    """Where a sandbox stands."""

    creating = "creating"
    running = "running"
    paused = "paused"
    destroyed = "destroyed"
    failed = "failed"


class Sandbox(Base):
    """A place where commands run. The row is there before the sandbox is.

    `id` is the provider's. Where the provider gives it only afterwards, the row begins with an
    id of ours, which the sandbox carries as a label, so that one lost in a crash is found.
    `expires_at` is when it is destroyed whatever it is at. `place` is the folder of a machine that
    it is in, where it can only be seen from there.
    """

    __tablename__ = "sandboxes"
    __table_args__ = (
        Index("ix_sandboxes_task_id", "task_id"),
        Index("ix_sandboxes_agent_id", "agent_id"),
        Index("ix_sandboxes_created_at_id", "created_at", "id"),
        Index(
            "ix_sandboxes_expires_at",
            "expires_at",
            postgresql_where=text("status IN ('creating', 'running', 'paused')"),
        ),
        {"schema": "agents"},
    )

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey(Agent.id, ondelete="SET NULL"))
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey(Task.id, ondelete="SET NULL"))
    status: Mapped[SandboxStatus] = mapped_column(
        one_of(SandboxStatus, 50), default=SandboxStatus.creating
    )
    provider: Mapped[str] = mapped_column(String(50))
    place: Mapped[str | None] = mapped_column(String(64))
    repo_url: Mapped[str | None] = mapped_column(String(2000))
    branch_name: Mapped[str | None] = mapped_column(String(255))
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp]
    destroyed_at: Mapped[Timestamp | None]
