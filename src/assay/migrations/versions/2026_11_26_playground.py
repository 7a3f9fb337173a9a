"""Versions of datasets, gates of labels, the answer cache, and what runs can be told.

Revision: 2026_11_26_playground, after 2026_11_25_identity.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_playground"
down_revision = "2026_11_25_identity"
branch_labels = None
depends_on = None

PLAYGROUND: Any = {"schema": "playground"}
NOW = sa.text("clock_timestamp()")
CELL = "eval_run_id, dataset_item_id, model_id, repetition"


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _version_datasets()
    _create_gates()
    _create_cache()
    _extend_runs()
    _extend_results()


def downgrade() -> None:
    """Take back; items that were deleted are deleted for good, with their results."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in ("score", "latency", "cost", "not_passed", "error"):
        op.drop_index(f"ix_eval_results_{name}", "eval_results", **PLAYGROUND)
    _set_unique_cell(f"UNIQUE ({CELL})")
    for column in ("failed_assertions", "cost", "latency_ms"):
        op.drop_column("eval_results", column, **PLAYGROUND)
    for column in (
        "share_expires_at",
        "share_hash",
        "request_hash",
        "idempotency_key",
        "threshold",
        "pass_when",
        "repeat",
        "estimated_cost",
        "max_cost",
        "cache",
        "judge",
        "derived_metrics",
        "rescored_from_id",
        "dataset_assertions",
        "dataset_version",
    ):
        op.drop_column("eval_runs", column, **PLAYGROUND)
    op.drop_table("response_cache", schema="gateway")
    op.drop_table("label_gates", **PLAYGROUND)
    op.drop_table("dataset_item_revisions", **PLAYGROUND)
    op.execute("DELETE FROM playground.dataset_items WHERE deleted_in IS NOT NULL")
    for column in ("deleted_in", "changed_in", "created_in"):
        op.drop_column("dataset_items", column, **PLAYGROUND)
    op.drop_column("datasets", "version", **PLAYGROUND)


def _version_datasets() -> None:
    version = sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False)
    op.add_column("datasets", version, **PLAYGROUND)
    for name in ("created_in", "changed_in"):
        column = sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
        op.add_column("dataset_items", column, **PLAYGROUND)
    op.add_column("dataset_items", sa.Column("deleted_in", sa.Integer()), **PLAYGROUND)
    for name, condition in (
        ("made_before_changed", "created_in <= changed_in"),
        ("changed_before_deleted", "deleted_in > changed_in"),
    ):
        op.create_check_constraint(name, "dataset_items", condition, **PLAYGROUND)
    op.create_table(
        "dataset_item_revisions",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.Column("to_version", sa.Integer(), nullable=False),
        sa.Column("input", postgresql.JSONB(), nullable=False),
        sa.Column("expected_output", postgresql.JSONB()),
        sa.Column("assertions", postgresql.JSONB()),
        sa.Column("metadata", postgresql.JSONB()),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["playground.dataset_items.id"],
            name="fk_dataset_item_revisions_item_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("item_id", "from_version", name="pk_dataset_item_revisions"),
        **PLAYGROUND,
    )


def _create_gates() -> None:
    op.create_table(
        "label_gates",
        sa.Column("prompt_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("min_pass_rate", sa.Double(), nullable=False),
        sa.Column("updated_by", sa.String(255), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("min_pass_rate BETWEEN 0 AND 1", name="pass_rate_is_a_share"),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["playground.prompts.id"],
            name="fk_label_gates_prompt_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["playground.datasets.id"], name="fk_label_gates_dataset_id"
        ),
        sa.PrimaryKeyConstraint("prompt_id", "label", name="pk_label_gates"),
        **PLAYGROUND,
    )
    op.create_index("ix_label_gates_dataset_id", "label_gates", ["dataset_id"], **PLAYGROUND)


def _create_cache() -> None:
    op.create_table(
        "response_cache",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("response", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_response_cache"),
        schema="gateway",
    )
    op.create_index(
        "ix_response_cache_created_at", "response_cache", ["created_at"], schema="gateway"
    )


def _extend_runs() -> None:
    for column in (
        # Items were not versioned before: what they are now is version 0.
        sa.Column("dataset_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("dataset_assertions", postgresql.JSONB()),
        sa.Column("rescored_from_id", sa.Uuid()),
        sa.Column("derived_metrics", postgresql.JSONB()),
        sa.Column("judge", postgresql.JSONB()),
        sa.Column("cache", sa.String(10), server_default="on", nullable=False),
        sa.Column("max_cost", sa.Double()),
        sa.Column("estimated_cost", sa.Double()),
        sa.Column("repeat", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("pass_when", sa.String(10), server_default="all", nullable=False),
        sa.Column("threshold", sa.Double()),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("request_hash", sa.LargeBinary()),
        sa.Column("share_hash", sa.LargeBinary()),
        sa.Column("share_expires_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("eval_runs", column, **PLAYGROUND)
    op.alter_column("eval_runs", "dataset_version", server_default=None, **PLAYGROUND)
    op.execute("""
        UPDATE playground.eval_runs AS run SET dataset_assertions = dataset.default_assertions
        FROM playground.datasets AS dataset WHERE dataset.id = run.dataset_id
    """)
    op.create_foreign_key(
        "fk_eval_runs_rescored_from_id",
        "eval_runs",
        "eval_runs",
        ["rescored_from_id"],
        ["id"],
        source_schema="playground",
        referent_schema="playground",
    )
    op.create_index(
        "ix_eval_runs_rescored_from_id", "eval_runs", ["rescored_from_id"], **PLAYGROUND
    )
    op.create_unique_constraint(
        "uq_eval_runs_share_hash", "eval_runs", ["share_hash"], **PLAYGROUND
    )
    op.create_index(
        "uq_eval_runs_created_by_idempotency_key",
        "eval_runs",
        ["created_by", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        **PLAYGROUND,
    )


def _extend_results() -> None:
    op.add_column("eval_results", sa.Column("latency_ms", sa.Double()), **PLAYGROUND)
    op.add_column("eval_results", sa.Column("cost", sa.Double()), **PLAYGROUND)
    failed: Any = sa.Column(
        "failed_assertions", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
    )
    op.add_column("eval_results", failed, **PLAYGROUND)
    op.execute("""
        UPDATE playground.eval_results
        SET latency_ms = CAST(metrics ->> 'latency_ms' AS float8),
            cost = CAST(metrics ->> 'cost' AS float8),
            failed_assertions = ARRAY(
                SELECT DISTINCT coalesce(entry ->> 'metric', entry ->> 'type')
                FROM jsonb_array_elements(grading -> 'assertions') AS entry
                WHERE entry ->> 'passed' = 'false' AND CAST(entry ->> 'weight' AS float8) > 0
            )
        WHERE metrics IS NOT NULL OR grading IS NOT NULL
    """)
    _set_unique_cell(f"UNIQUE ({CELL}) INCLUDE (passed, score, latency_ms, cost)")
    # Few results have either, and those that do are looked for among all the others.
    for name, condition in (
        ("error", "error IS NOT NULL"),
        ("not_passed", "NOT passed"),
    ):
        op.create_index(
            f"ix_eval_results_{name}",
            "eval_results",
            CELL.split(", "),
            postgresql_include=["score", "latency_ms", "cost"],
            postgresql_where=sa.text(condition),
            **PLAYGROUND,
        )
    for name, value in (
        ("score", "score"),
        ("latency", "coalesce(latency_ms, '-1'::integer::double precision)"),
        ("cost", "coalesce(cost, '-1'::integer::double precision)"),
    ):
        op.create_index(
            f"ix_eval_results_{name}",
            "eval_results",
            ["eval_run_id", sa.text(value), *CELL.split(", ")[1:]],
            **PLAYGROUND,
        )


def _set_unique_cell(constraint: str) -> None:
    name = "uq_eval_results_cell"
    op.execute(f"ALTER TABLE playground.eval_results DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE playground.eval_results ADD CONSTRAINT {name} {constraint}")
