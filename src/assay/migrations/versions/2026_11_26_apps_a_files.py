"""Files, the list of bytes that have to go, and numbers of rows that triggers keep.

Revision: 2026_11_26_apps_a_files, after 2026_11_26_playground.
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_apps_a_files"
down_revision = "2026_11_26_playground"
branch_labels = None
depends_on = None

NOW = sa.text("clock_timestamp()")
# Once for each statement, so that a thousand rows of one statement are one change of a number.
COUNT_ROWS = """
CREATE FUNCTION apps.count_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO apps.totals AS kept (user_id, app_id, table_name, number)
        SELECT user_id, app_id, TG_TABLE_NAME, count(*) FROM changed
        GROUP BY user_id, app_id ORDER BY user_id, app_id
        ON CONFLICT (user_id, app_id, table_name)
        DO UPDATE SET number = kept.number + excluded.number;
    ELSE
        UPDATE apps.totals AS kept SET number = kept.number - gone.number
        FROM (SELECT user_id, app_id, count(*) AS number FROM changed GROUP BY 1, 2) AS gone
        WHERE kept.user_id = gone.user_id AND kept.app_id = gone.app_id
        AND kept.table_name = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SCHEMA apps")
    op.execute("CREATE SCHEMA files")
    op.create_table(
        "removals",
        sa.Column("storage_key", sa.String(1000), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("storage_key", name="pk_removals"),
        schema="files",
    )
    op.create_index("ix_removals_due_at", "removals", ["due_at"], schema="files")
    op.create_table(
        "files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("original_name", sa.String(500), nullable=False),
        sa.Column("mime_type", sa.String(100), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("storage_path", sa.String(1000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        schema="apps",
    )
    op.create_table(
        "totals",
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("app_id", sa.String(50), nullable=False),
        sa.Column("table_name", sa.String(63), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "app_id", "table_name", name="pk_totals"),
        schema="apps",
    )
    op.execute(COUNT_ROWS)


def downgrade() -> None:
    """Take back; the bytes of files stay where they are."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION apps.count_rows()")
    op.drop_table("totals", schema="apps")
    op.drop_table("files", schema="apps")
    op.drop_table("removals", schema="files")
    op.execute("DROP SCHEMA files")
    op.execute("DROP SCHEMA apps")
