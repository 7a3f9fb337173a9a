"""The visible job record."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Json, Timestamp, one_of


class JobStatus(StrEnum):
    """Where a job stands."""

    queued = "queued"
    running = "running"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


_LISTED_BY = {
    "user_id": ("user_id", "id"),
    "user_id_status": ("user_id", "status", "id"),
    "user_id_job_type": ("user_id", "job_type", "id"),
}


class Job(Base):
    """What a person sees of background work, and the truth about it.

    The engine only carries the job's id to a worker. This row counts what the engine does
    not: `attempt` goes up at every start and fences off a worker that lost the job;
    `fruitless_starts` counts starts since the job last stored any progress, so that a job
    that kills its workers ends, and one that moves on may be taken over any number of times.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_status", "status"),
        Index("ix_jobs_parent_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        # What somebody sees of their own; parts of a job are not listed.
        *(
            Index(f"ix_jobs_{name}", *columns, postgresql_where=text("parent_id IS NULL"))
            for name, columns in _LISTED_BY.items()
        ),
        {"schema": "jobs"},
    )

    id: Mapped[Id]
    job_type: Mapped[str] = mapped_column(String(50))
    status: Mapped[JobStatus] = mapped_column(one_of(JobStatus, 20), default=JobStatus.queued)
    params: Mapped[Json]
    result: Mapped[Json | None]
    progress: Mapped[Json | None]
    error_message: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    fruitless_starts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    parent_id: Mapped[UUID | None]
    engine_id: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[CreatedAt]
    started_at: Mapped[Timestamp | None]
    completed_at: Mapped[Timestamp | None]
