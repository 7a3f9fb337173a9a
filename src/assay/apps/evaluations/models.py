"""Tables of evaluation runs, what they found, and the model calls that they made.

Their rows are written by jobs. Whose a row is, its run says.
"""

import secrets
import time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.columns import LongText, Number, Str20, Str50, Str100, Str200, UserId
from assay.core.database import Base, CreatedAt, Json, one_of
from assay.jobs.models import Job

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def new_run_id() -> str:
    """A fresh id of 20 letters and digits; later ones sort after earlier ones.

    The first half is the time in milliseconds, the second half is random.
    """
    number = (time.time_ns() // 1_000_000 << 50) | secrets.randbits(50)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(95, -1, -5))


class EvaluationStatus(StrEnum):
    """Where an evaluation run stands."""

    running = "running"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


class EvaluationRun(Base):
    """One batch evaluation: what it was asked to do, and its numbers."""

    __tablename__ = "eval_runs"
    __table_args__ = (
        Index("ix_eval_runs_user_id", "user_id", "created_at", "id"),
        Index("ix_eval_runs_command", "user_id", "command", "created_at", "id"),
        Index("ix_eval_runs_status", "user_id", "status", "created_at", "id"),
        Index("ix_eval_runs_job_id", "job_id"),
        {"schema": "apps"},
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_run_id)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey(Job.id, ondelete="SET NULL"))
    command: Mapped[Str50]
    llm_provider: Mapped[Str50 | None]
    llm_model: Mapped[Str100 | None]
    eval_temperature: Mapped[float] = mapped_column(Double, default=0.0, server_default=text("0.0"))
    data_path: Mapped[str | None] = mapped_column(String(500))
    data_file_hash: Mapped[Str50 | None]
    flags: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    duration_seconds: Mapped[float] = mapped_column(Double, default=0.0, server_default=text("0.0"))
    status: Mapped[EvaluationStatus] = mapped_column(
        one_of(EvaluationStatus, 20),
        default=EvaluationStatus.running,
        server_default=text("'running'"),
    )
    error_message: Mapped[LongText | None]
    summary: Mapped[Json | None]
    total_items: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    user_id: Mapped[UserId]


class ThreadEvaluation(Base):
    """How one conversation was judged in one run."""

    __tablename__ = "thread_evaluations"
    __table_args__ = (
        CheckConstraint("intent_accuracy BETWEEN 0 AND 1", name="accuracy_is_a_share"),
        Index("ix_thread_evaluations_run_id", "run_id", "id"),
        Index("ix_thread_evaluations_thread_id", "thread_id", "id"),
        Index("ix_thread_evaluations_data_file_hash", "data_file_hash"),
        {"schema": "apps"},
    )

    id: Mapped[Number]
    run_id: Mapped[str] = mapped_column(ForeignKey(EvaluationRun.id, ondelete="CASCADE"))
    thread_id: Mapped[Str200]
    data_file_hash: Mapped[Str50 | None]
    intent_accuracy: Mapped[float | None] = mapped_column(Double)
    worst_correctness: Mapped[Str20 | None]
    efficiency_verdict: Mapped[Str20 | None]
    success_status: Mapped[bool] = mapped_column(default=False, server_default=false())
    result: Mapped[Json]
    created_at: Mapped[CreatedAt]


class AdversarialEvaluation(Base):
    """How a bot did against one user who tried to break it."""

    __tablename__ = "adversarial_evaluations"
    __table_args__ = (
        Index("ix_adversarial_evaluations_run_id", "run_id", "id"),
        {"schema": "apps"},
    )

    id: Mapped[Number]
    run_id: Mapped[str] = mapped_column(ForeignKey(EvaluationRun.id, ondelete="CASCADE"))
    category: Mapped[Str50 | None]
    difficulty: Mapped[Str20 | None]
    verdict: Mapped[Str20 | None]
    goal_achieved: Mapped[bool] = mapped_column(default=False, server_default=false())
    total_turns: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # With the transcript.
    result: Mapped[Json]
    created_at: Mapped[CreatedAt]


class ApiLog(Base):
    """One call of a model, and what it took."""

    __tablename__ = "api_logs"
    __table_args__ = (
        Index("ix_api_logs_run_id", "run_id", "id"),
        Index("ix_api_logs_thread_id", "thread_id"),
        {"schema": "apps"},
    )

    id: Mapped[Number]
    run_id: Mapped[str | None] = mapped_column(ForeignKey(EvaluationRun.id, ondelete="CASCADE"))
    thread_id: Mapped[Str200 | None]
    provider: Mapped[Str50]
    model: Mapped[Str100]
    method: Mapped[Str50]
    prompt: Mapped[LongText]
    system_prompt: Mapped[LongText | None]
    response: Mapped[LongText | None]
    error: Mapped[LongText | None]
    duration_ms: Mapped[float | None] = mapped_column(Double)
    tokens_in: Mapped[int | None]
    tokens_out: Mapped[int | None]
    created_at: Mapped[CreatedAt]
