"""Evaluation runs of apps and what they found, and the lists of jobs.

Revision: 2026_11_26_apps_d_evaluations, after 2026_11_26_apps_c_chat.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_apps_d_evaluations"
down_revision = "2026_11_26_apps_c_chat"
branch_labels = None
depends_on = None

JOB_LISTS = {
    "ix_jobs_user_id": ["user_id", "id"],
    "ix_jobs_user_id_status": ["user_id", "status", "id"],
    "ix_jobs_user_id_job_type": ["user_id", "job_type", "id"],
}


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_runs()
    _create_threads()
    _create_adversarial()
    _create_logs()
    whole = sa.text("parent_id IS NULL")
    for name, columns in JOB_LISTS.items():
        op.create_index(name, "jobs", columns, schema="jobs", postgresql_where=whole)


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in JOB_LISTS:
        op.drop_index(name, "jobs", schema="jobs")
    for table in ("api_logs", "adversarial_evaluations", "thread_evaluations", "eval_runs"):
        op.drop_table(table, schema="apps")


def _created_at() -> Any:
    now = sa.text("clock_timestamp()")
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False)


def _create_runs() -> None:
    zero = sa.text("0.0")
    op.create_table(
        "eval_runs",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("command", sa.String(50), nullable=False),
        sa.Column("llm_provider", sa.String(50), nullable=True),
        sa.Column("llm_model", sa.String(100), nullable=True),
        sa.Column("eval_temperature", sa.Double(), server_default=zero, nullable=False),
        sa.Column("data_path", sa.String(500), nullable=True),
        sa.Column("data_file_hash", sa.String(50), nullable=True),
        sa.Column("flags", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("duration_seconds", sa.Double(), server_default=zero, nullable=False),
        sa.Column("status", sa.String(20), server_default=sa.text("'running'"), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("summary", postgresql.JSONB(), nullable=True),
        sa.Column("total_items", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _created_at(),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.jobs.id"], name="fk_eval_runs_job_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_eval_runs"),
        schema="apps",
    )
    for name, columns in (
        ("user_id", ["user_id", "created_at", "id"]),
        ("command", ["user_id", "command", "created_at", "id"]),
        ("status", ["user_id", "status", "created_at", "id"]),
        ("job_id", ["job_id"]),
    ):
        op.create_index(f"ix_eval_runs_{name}", "eval_runs", columns, schema="apps")


def _create_part(table: str, *columns: Any, needs_run: bool = True) -> None:
    """A table of what belongs to a run."""
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("run_id", sa.String(20), nullable=not needs_run),
        *columns,
        _created_at(),
        sa.ForeignKeyConstraint(
            ["run_id"], ["apps.eval_runs.id"], name=f"fk_{table}_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        schema="apps",
    )
    op.create_index(f"ix_{table}_run_id", table, ["run_id", "id"], schema="apps")


def _create_threads() -> None:
    _create_part(
        "thread_evaluations",
        sa.Column("thread_id", sa.String(200), nullable=False),
        sa.Column("data_file_hash", sa.String(50), nullable=True),
        sa.Column("intent_accuracy", sa.Double(), nullable=True),
        sa.Column("worst_correctness", sa.String(20), nullable=True),
        sa.Column("efficiency_verdict", sa.String(20), nullable=True),
        sa.Column("success_status", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("intent_accuracy BETWEEN 0 AND 1", name="accuracy_is_a_share"),
    )
    for name, columns in (
        ("thread_id", ["thread_id", "id"]),
        ("data_file_hash", ["data_file_hash"]),
    ):
        full = f"ix_thread_evaluations_{name}"
        op.create_index(full, "thread_evaluations", columns, schema="apps")


def _create_adversarial() -> None:
    _create_part(
        "adversarial_evaluations",
        sa.Column("category", sa.String(50), nullable=True),
        sa.Column("difficulty", sa.String(20), nullable=True),
        sa.Column("verdict", sa.String(20), nullable=True),
        sa.Column("goal_achieved", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("total_turns", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
    )


def _create_logs() -> None:
    _create_part(
        "api_logs",
        sa.Column("thread_id", sa.String(200), nullable=True),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("method", sa.String(50), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("system_prompt", sa.Text(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Double(), nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=True),
        sa.Column("tokens_out", sa.Integer(), nullable=True),
        needs_run=False,
    )
    op.create_index("ix_api_logs_thread_id", "api_logs", ["thread_id"], schema="apps")
