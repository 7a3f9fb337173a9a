"""Tables of runs, their shards and their results."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Double,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Json, Timestamp, one_of
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.projects.models import Project
from assay.playground.prompts.models import PromptVersion


class RunStatus(StrEnum):
    """Where a run stands; it ends as completed, failed or canceled."""

    pending = "pending"
    running = "running"
    completed = "completed"
    failed = "failed"
    canceled = "canceled"

    @property
    def is_active(self) -> bool:
        """Whether work on it may still go on."""
        return self in (RunStatus.pending, RunStatus.running)


class EvalRun(Base):
    """One prompt version on one dataset with one or more models."""

    __tablename__ = "eval_runs"
    __table_args__ = (
        Index("ix_eval_runs_dataset_id", "dataset_id"),
        Index("ix_eval_runs_prompt_version_id", "prompt_version_id"),
        Index("ix_eval_runs_project_id_id", "project_id", "id"),
        Index("ix_eval_runs_status", "status"),
        {"schema": "playground"},
    )

    id: Mapped[Id]
    # Of both the prompt and the dataset.
    project_id: Mapped[UUID] = mapped_column(ForeignKey(Project.id, ondelete="CASCADE"))
    prompt_version_id: Mapped[UUID] = mapped_column(
        ForeignKey(PromptVersion.id, ondelete="CASCADE")
    )
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey(Dataset.id, ondelete="CASCADE"))
    name: Mapped[str | None] = mapped_column(String(255))
    models: Mapped[Json]
    assertions: Mapped[Json] = mapped_column(server_default=text("'[]'"))
    concurrency: Mapped[int | None]
    status: Mapped[RunStatus] = mapped_column(one_of(RunStatus, 20), default=RunStatus.pending)
    total: Mapped[int] = mapped_column(default=0)
    completed: Mapped[int] = mapped_column(default=0)
    passed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    errors: Mapped[int] = mapped_column(default=0)
    cost: Mapped[float] = mapped_column(Double, default=0.0)
    shards_left: Mapped[int] = mapped_column(default=0)
    summary: Mapped[Json | None]
    error_message: Mapped[str | None]
    job_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[Timestamp | None]
    completed_at: Mapped[Timestamp | None]
    created_by: Mapped[str | None] = mapped_column(String(255))

    @property
    def progress(self) -> dict[str, Any]:
        """Cells in all, those with a stored result, how these came out, and the share done."""
        return {
            "total": self.total,
            "completed": self.completed,
            "passed": self.passed,
            "failed": self.failed,
            "errors": self.errors,
            "cost": self.cost,
            "percent": round(100 * self.completed / self.total, 1) if self.total else 0.0,
        }


class EvalRunShard(Base):
    """A stretch of a run's items that one job works through with all models.

    `job_id` is set when its job has been enqueued, `completed_at` when each of its cells has
    a result.
    """

    __tablename__ = "eval_run_shards"
    __table_args__ = {"schema": "playground"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    eval_run_id: Mapped[UUID] = mapped_column(
        ForeignKey(EvalRun.id, ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    first_item_id: Mapped[UUID]
    last_item_id: Mapped[UUID]
    job_id: Mapped[UUID | None]
    completed_at: Mapped[Timestamp | None]


class EvalResult(Base):
    """The stored outcome of one cell: one item with one model, and the repetition."""

    __tablename__ = "eval_results"
    __table_args__ = (
        UniqueConstraint(
            "eval_run_id",
            "dataset_item_id",
            "model_id",
            "repetition",
            name="uq_eval_results_cell",
        ),
        Index("ix_eval_results_dataset_item_id", "dataset_item_id"),
        {"schema": "playground"},
    )

    id: Mapped[Id]
    eval_run_id: Mapped[UUID] = mapped_column(ForeignKey(EvalRun.id, ondelete="CASCADE"))
    dataset_item_id: Mapped[UUID] = mapped_column(ForeignKey(DatasetItem.id, ondelete="CASCADE"))
    model_id: Mapped[str] = mapped_column(String(255))
    repetition: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    model_config: Mapped[Json]
    request: Mapped[Json | None]
    output: Mapped[str | None]
    output_json: Mapped[Json | None]
    grading: Mapped[Json | None]
    metrics: Mapped[Json | None]
    passed: Mapped[bool]
    score: Mapped[float] = mapped_column(Double)
    error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
