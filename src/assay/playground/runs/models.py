"""Tables of runs, their shards and their results."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Json, Timestamp, one_of
from assay.gateway.cache import CacheMode
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


class PassWhen(StrEnum):
    """When an item that is asked several times has passed."""

    any = "any"
    all = "all"
    mean = "mean"


class EvalRun(Base):
    """One prompt version on one version of a dataset with one or more models."""

    __tablename__ = "eval_runs"
    __table_args__ = (
        Index("ix_eval_runs_dataset_id", "dataset_id"),
        Index("ix_eval_runs_prompt_version_id", "prompt_version_id"),
        Index("ix_eval_runs_project_id_id", "project_id", "id"),
        Index("ix_eval_runs_status", "status"),
        Index("ix_eval_runs_rescored_from_id", "rescored_from_id"),
        Index(
            "uq_eval_runs_created_by_idempotency_key",
            "created_by",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        {"schema": "playground"},
    )

    id: Mapped[Id]
    # Of both the prompt and the dataset.
    project_id: Mapped[UUID] = mapped_column(ForeignKey(Project.id, ondelete="CASCADE"))
    prompt_version_id: Mapped[UUID] = mapped_column(
        ForeignKey(PromptVersion.id, ondelete="CASCADE")
    )
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey(Dataset.id, ondelete="CASCADE"))
    # Whatever happens to the items later, the run is about what they were in this version.
    dataset_version: Mapped[int]
    # Whose stored answers are graded again, in place of asking the models. That run stays as
    # long as this one: without it, going on with this one would mean asking.
    rescored_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("playground.eval_runs.id"))
    name: Mapped[str | None] = mapped_column(String(255))
    models: Mapped[Json]
    assertions: Mapped[Json] = mapped_column(server_default=text("'[]'"))
    # What the dataset's default assertions were when the run was made.
    dataset_assertions: Mapped[Json | None]
    derived_metrics: Mapped[Json | None]
    # The model that judges for assertions which name none.
    judge: Mapped[Json | None]
    concurrency: Mapped[int | None]
    cache: Mapped[CacheMode] = mapped_column(
        one_of(CacheMode, 10), default=CacheMode.on, server_default=text("'on'")
    )
    max_cost: Mapped[float | None] = mapped_column(Double)
    estimated_cost: Mapped[float | None] = mapped_column(Double)
    repeat: Mapped[int] = mapped_column(SmallInteger, default=1, server_default=text("1"))
    pass_when: Mapped[PassWhen] = mapped_column(
        one_of(PassWhen, 10), default=PassWhen.all, server_default=text("'all'")
    )
    threshold: Mapped[float | None] = mapped_column(Double)
    status: Mapped[RunStatus] = mapped_column(one_of(RunStatus, 20), default=RunStatus.pending)
    total: Mapped[int] = mapped_column(default=0)
    completed: Mapped[int] = mapped_column(default=0)
    passed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    errors: Mapped[int] = mapped_column(default=0)
    # Cells with an answer that people are asked about; they have no result yet.
    waiting: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    cost: Mapped[float] = mapped_column(Double, default=0.0)
    shards_left: Mapped[int] = mapped_column(default=0)
    summary: Mapped[Json | None]
    error_message: Mapped[str | None]
    job_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[Timestamp | None]
    completed_at: Mapped[Timestamp | None]
    created_by: Mapped[str | None] = mapped_column(String(255))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    share_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    share_expires_at: Mapped[Timestamp | None]

    @property
    def waits_for_people_only(self) -> bool:
        """Whether all that is left of it is what people are asked about."""
        return self.waiting > 0 and self.shards_left == 0

    @property
    def progress(self) -> dict[str, Any]:
        """Cells in all, those with a stored result, how these came out, and the share done.

        Cells that wait for people are not among those with a result.
        """
        return {
            "total": self.total,
            "completed": self.completed,
            "passed": self.passed,
            "failed": self.failed,
            "errors": self.errors,
            "waiting": self.waiting,
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


_CELL = ("eval_run_id", "dataset_item_id", "model_id", "repetition")
_SORTED_BY = ("score", "latency_ms", "cost")
# What results are sorted by; those without one count as less than any other.
_ORDERS = {
    "score": text("score"),
    "latency": text("coalesce(latency_ms, '-1'::integer::double precision)"),
    "cost": text("coalesce(cost, '-1'::integer::double precision)"),
}


class EvalResult(Base):
    """The stored outcome of one cell: one item with one model, and the repetition.

    `latency_ms` and `cost` are those in `metrics`, as columns to sort by. The unique index of the
    cell has them too, with `passed` and `score`, so that they can be looked through without
    reading the rows.
    """

    __tablename__ = "eval_results"
    __table_args__ = (
        UniqueConstraint(
            *_CELL,
            name="uq_eval_results_cell",
            postgresql_include=["passed", "score", "latency_ms", "cost"],
        ),
        Index("ix_eval_results_dataset_item_id", "dataset_item_id"),
        Index(
            "ix_eval_results_error",
            *_CELL,
            postgresql_include=_SORTED_BY,
            postgresql_where=text("error IS NOT NULL"),
        ),
        Index(
            "ix_eval_results_not_passed",
            *_CELL,
            postgresql_include=_SORTED_BY,
            postgresql_where=text("NOT passed"),
        ),
        *(
            Index(f"ix_eval_results_{name}", "eval_run_id", value, *_CELL[1:])
            for name, value in _ORDERS.items()
        ),
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
    latency_ms: Mapped[float | None] = mapped_column(Double)
    cost: Mapped[float | None] = mapped_column(Double)
    # The names (metric or type) of the assertions with a weight that did not pass.
    failed_assertions: Mapped[list[str]] = mapped_column(
        ARRAY(Text), default=list, server_default=text("'{}'")
    )
    error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
