"""Runs, their shards and their results.

Revision: 2026_11_23_runs, after 2026_11_23_foundation.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_23_runs"
down_revision = "2026_11_23_foundation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "eval_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prompt_version_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("models", postgresql.JSONB(), nullable=False),
        sa.Column("assertions", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("shards_left", sa.Integer(), nullable=False),
        sa.Column("summary", postgresql.JSONB(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["playground.datasets.id"],
            name=op.f("fk_eval_runs_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["prompt_version_id"],
            ["playground.prompt_versions.id"],
            name=op.f("fk_eval_runs_prompt_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_runs")),
        schema="playground",
    )
    op.create_index(
        "ix_eval_runs_dataset_id", "eval_runs", ["dataset_id"], unique=False, schema="playground"
    )
    op.create_index(
        "ix_eval_runs_prompt_version_id",
        "eval_runs",
        ["prompt_version_id"],
        unique=False,
        schema="playground",
    )
    op.create_index(
        "ix_eval_runs_status", "eval_runs", ["status"], unique=False, schema="playground"
    )
    op.create_table(
        "eval_results",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("eval_run_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_item_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.String(length=255), nullable=False),
        sa.Column("repetition", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("model_config", postgresql.JSONB(), nullable=False),
        sa.Column("request", postgresql.JSONB(), nullable=True),
        sa.Column("output", sa.String(), nullable=True),
        sa.Column("output_json", postgresql.JSONB(), nullable=True),
        sa.Column("grading", postgresql.JSONB(), nullable=True),
        sa.Column("metrics", postgresql.JSONB(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dataset_item_id"],
            ["playground.dataset_items.id"],
            name=op.f("fk_eval_results_dataset_item_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["eval_run_id"],
            ["playground.eval_runs.id"],
            name=op.f("fk_eval_results_eval_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_results")),
        sa.UniqueConstraint(
            "eval_run_id", "dataset_item_id", "model_id", "repetition", name="uq_eval_results_cell"
        ),
        schema="playground",
    )
    op.create_index(
        "ix_eval_results_dataset_item_id",
        "eval_results",
        ["dataset_item_id"],
        unique=False,
        schema="playground",
    )
    op.create_table(
        "eval_run_shards",
        sa.Column("eval_run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_item_id", sa.Uuid(), nullable=False),
        sa.Column("last_item_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["eval_run_id"],
            ["playground.eval_runs.id"],
            name=op.f("fk_eval_run_shards_eval_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("eval_run_id", "number", name=op.f("pk_eval_run_shards")),
        schema="playground",
    )


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("eval_run_shards", "eval_results", "eval_runs"):
        op.drop_table(table, schema="playground")
