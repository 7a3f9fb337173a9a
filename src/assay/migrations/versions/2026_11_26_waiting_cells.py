"""Cells of runs that wait for people.

Revision: 2026_11_26_waiting_cells, after 2026_11_26_consults.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_waiting_cells"
down_revision = "2026_11_26_consults"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "eval_runs",
        sa.Column("waiting", sa.Integer(), server_default=sa.text("0"), nullable=False),
        schema="playground",
    )
    op.create_table(
        "waiting_cells",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("eval_run_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_item_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.String(255), nullable=False),
        sa.Column("repetition", sa.SmallInteger(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("questions", postgresql.JSONB(), nullable=False),
        sa.Column("answers", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["eval_run_id"],
            ["playground.eval_runs.id"],
            name=op.f("fk_waiting_cells_eval_run_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_item_id"],
            ["playground.dataset_items.id"],
            name=op.f("fk_waiting_cells_dataset_item_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_cells")),
        sa.UniqueConstraint(
            "eval_run_id",
            "dataset_item_id",
            "model_id",
            "repetition",
            name="uq_waiting_cells_cell",
        ),
        schema="playground",
    )
    op.create_index(
        "ix_waiting_cells_dataset_item_id",
        "waiting_cells",
        ["dataset_item_id"],
        schema="playground",
    )


def downgrade() -> None:
    """Take back; cells that wait are open again once their run is resumed."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("waiting_cells", schema="playground")
    op.drop_column("eval_runs", "waiting", schema="playground")
