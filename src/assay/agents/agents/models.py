"""The table of agents."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import Double, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Json, UpdatedAt, one_of


class AgentStatus(StrEnum):
    """What an agent is at; `offline` is for people to set: it takes no tasks."""

    idle = "idle"
    working = "working"
    waiting = "waiting"
    offline = "offline"


class Agent(Base):
    """Somebody who does tasks: a model with instructions, tools, an approval policy and limits.

    `approval_policy` says what a person is asked before: see `policy.py`. `tools` are the names
    of those it may use; empty: all. Without a project it is its maker's own.
    """

    __tablename__ = "agents"
    __table_args__ = (
        Index("ix_agents_created_by_id", "created_by", "id"),
        Index("ix_agents_project_id", "project_id"),
        Index("ix_agents_current_task_id", "current_task_id"),
        {"schema": "agents"},
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(100))
    status: Mapped[AgentStatus] = mapped_column(one_of(AgentStatus, 50), default=AgentStatus.idle)
    # Of the tasks that it is at, the one that moved last.
    current_task_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("agents.tasks.id", ondelete="SET NULL", use_alter=True)
    )
    sandbox_id: Mapped[str | None] = mapped_column(String(255))
    avatar_url: Mapped[str | None] = mapped_column(String(2000))
    project_id: Mapped[UUID | None]
    created_by: Mapped[str] = mapped_column(String(100))
    model: Mapped[str | None] = mapped_column(String(255))
    model_parameters: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    instructions: Mapped[str | None] = mapped_column(Text)
    tools: Mapped[list[str]] = mapped_column(
        ARRAY(String(50)), default=list, server_default=text("'{}'")
    )
    approval_policy: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    provider: Mapped[str] = mapped_column(
        String(50), default="local", server_default=text("'local'")
    )
    max_steps: Mapped[int] = mapped_column(Integer, default=100, server_default=text("100"))
    max_seconds: Mapped[int] = mapped_column(Integer, default=3600, server_default=text("3600"))
    max_cost: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
