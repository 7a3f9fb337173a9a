"""The table of events."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Json, one_of

CHANNEL = "assay_events"
"""Notified at each commit that brought events."""


class Topic(StrEnum):
    """What an event is about; a reader chooses among these."""

    projects = "projects"
    prompts = "prompts"
    datasets = "datasets"
    runs = "runs"
    apps = "apps"
    requests = "requests"
    webhooks = "webhooks"
    agents = "agents"
    tasks = "tasks"
    jobs = "jobs"
    users = "users"


class Event(Base):
    """Something that has changed, written in the transaction of the change.

    `position` is what readers know it by. The database gives it at the commit, to one
    transaction at a time (see the migration), so whoever has seen a position has missed none
    before it; `id` only tells the events of one transaction apart.

    Who may see it: admins, the people of `project_id`, and the user `user_id`.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("uq_events_position", "position", unique=True),
        Index("ix_events_created_at", "created_at"),
        {"schema": "events"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    position: Mapped[int | None] = mapped_column(BigInteger)
    type: Mapped[str] = mapped_column(String(100))
    topic: Mapped[Topic] = mapped_column(one_of(Topic, 50))
    subject: Mapped[str | None] = mapped_column(String(100))
    project_id: Mapped[UUID | None]
    user_id: Mapped[str | None] = mapped_column(String(100))
    data: Mapped[Json]
    created_at: Mapped[CreatedAt]
