"""The event log, with positions that the database gives at each commit.

Revision: 2026_11_25_events, after 2026_11_23_runs.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_25_events"
down_revision = "2026_11_23_runs"
branch_labels = None
depends_on = None

# An event gets its position at the end of its transaction, under a lock that is held until the
# commit is visible to all. So positions become visible in their order, and a reader that knows
# one has missed none before it, however long transactions take. Notifying transactions wait for
# one another at their commit anyway (PreCommit_Notify in PostgreSQL's async.c).
PLACE = """
CREATE FUNCTION events.place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(x'6576656e7473'::bigint);
    UPDATE events.events SET position = nextval('events.positions') WHERE id = NEW.id;
    PERFORM pg_notify('assay_events', '');
    RETURN NULL;
END $$
"""
PLACE_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER place AFTER INSERT ON events.events
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION events.place()
"""


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SCHEMA events")
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.String(length=100), nullable=True),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        schema="events",
    )
    op.create_index("ix_events_created_at", "events", ["created_at"], unique=False, schema="events")
    op.create_index("uq_events_position", "events", ["position"], unique=True, schema="events")
    op.execute("CREATE SEQUENCE events.positions")
    op.execute(PLACE)
    op.execute(PLACE_AT_COMMIT)


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP SCHEMA events CASCADE")
