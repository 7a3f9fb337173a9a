"""Requests to people, their answers and comments, and the webhooks that tell of them.

Revision: 2026_11_26_consults, after 2026_11_26_apps_d_evaluations.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_consults"
down_revision = "2026_11_26_apps_d_evaluations"
branch_labels = None
depends_on = None

DUE_BY = sa.text("coalesce(deadline, '9999-01-01 00:00:00+00'::timestamp with time zone)")

# Whoever waits for the end of a request hears of it with the commit.
NOTIFY = """
CREATE FUNCTION consults.notify_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('assay_consults', NEW.id::text);
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SCHEMA consults")
    _create_consultation_requests()
    _create_webhook_endpoints()
    _create_comments()
    _create_request_events()
    _create_responses()
    _create_webhook_deliveries()
    op.execute(NOTIFY)
    op.execute(
        "CREATE TRIGGER notify_ended AFTER UPDATE OF status ON consults.consultation_requests "
        "FOR EACH ROW WHEN (OLD.status = 'pending' AND NEW.status <> 'pending') "
        "EXECUTE FUNCTION consults.notify_ended()"
    )


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP SCHEMA consults CASCADE")


def _create_consultation_requests() -> None:
    op.create_table(
        "consultation_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=True),
        sa.Column("response_schema", postgresql.JSONB(), nullable=False),
        sa.Column("context", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("metadata", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("requested_by", sa.String(100), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("agent_id", sa.String(255), nullable=True),
        sa.Column(
            "assignee_ids",
            postgresql.ARRAY(sa.String(100)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("assignee_role", sa.String(20), nullable=True),
        sa.Column("quorum", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("rule", sa.String(20), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("default_response", postgresql.JSONB(), nullable=True),
        sa.Column("escalate_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "escalate_to_ids",
            postgresql.ARRAY(sa.String(100)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("escalate_to_role", sa.String(20), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subject_hash", sa.String(100), nullable=True),
        sa.Column("callback_url", sa.String(2000), nullable=True),
        sa.Column("callback_secret", sa.LargeBinary(), nullable=True),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        sa.Column("wakes", postgresql.JSONB(), nullable=True),
        sa.Column("response", postgresql.JSONB(), nullable=True),
        sa.Column("decided_by", sa.String(20), nullable=True),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "quorum BETWEEN 1 AND 100", name=op.f("ck_consultation_requests_quorum_in_reach")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultation_requests")),
        schema="consults",
    )
    op.create_index(
        "ix_consultation_requests_assignee_ids",
        "consultation_requests",
        ["assignee_ids"],
        schema="consults",
        postgresql_using="gin",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_consultation_requests_deadline",
        "consultation_requests",
        ["deadline"],
        schema="consults",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_consultation_requests_escalate_at",
        "consultation_requests",
        ["escalate_at"],
        schema="consults",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_consultation_requests_inbox",
        "consultation_requests",
        ["status", "priority", DUE_BY, "id"],
        schema="consults",
    )
    op.create_index(
        "ix_consultation_requests_project_id",
        "consultation_requests",
        ["project_id"],
        schema="consults",
    )
    op.create_index(
        "ix_consultation_requests_requested_by_id",
        "consultation_requests",
        ["requested_by", "id"],
        schema="consults",
    )
    op.create_index(
        "uq_consultation_requests_idempotency_key",
        "consultation_requests",
        ["requested_by", "idempotency_key"],
        unique=True,
        schema="consults",
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )


def _create_webhook_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("description", sa.String(500), nullable=True),
        sa.Column(
            "event_types",
            postgresql.ARRAY(sa.String(50)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("covers", sa.String(10), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        schema="consults",
    )
    op.create_index(
        "ix_webhook_endpoints_covers",
        "webhook_endpoints",
        ["covers"],
        schema="consults",
        postgresql_where=sa.text("enabled"),
    )
    op.create_index(
        "ix_webhook_endpoints_user_id_id", "webhook_endpoints", ["user_id", "id"], schema="consults"
    )


def _create_comments() -> None:
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["consults.consultation_requests.id"],
            name=op.f("fk_comments_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
        schema="consults",
    )
    op.create_index(
        "ix_comments_request_id_id", "comments", ["request_id", "id"], schema="consults"
    )


def _create_request_events() -> None:
    op.create_table(
        "request_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("user_id", sa.String(100), nullable=True),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["consults.consultation_requests.id"],
            name=op.f("fk_request_events_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_events")),
        schema="consults",
    )
    op.create_index(
        "ix_request_events_request_id_id", "request_events", ["request_id", "id"], schema="consults"
    )


def _create_responses() -> None:
    op.create_table(
        "responses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["consults.consultation_requests.id"],
            name=op.f("fk_responses_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responses")),
        sa.UniqueConstraint("request_id", "user_id", name=op.f("uq_responses_request_id_user_id")),
        schema="consults",
    )


def _create_webhook_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.String(2000), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("event_type", sa.String(50), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("response_code", sa.Integer(), nullable=True),
        sa.Column("response_excerpt", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(endpoint_id IS NULL) <> (url IS NULL)", name=op.f("ck_webhook_deliveries_one_address")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["consults.webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        schema="consults",
    )
    op.create_index(
        "ix_webhook_deliveries_created_at", "webhook_deliveries", ["created_at"], schema="consults"
    )
    op.create_index(
        "ix_webhook_deliveries_endpoint_id_id",
        "webhook_deliveries",
        ["endpoint_id", "id"],
        schema="consults",
    )
    op.create_index(
        "ix_webhook_deliveries_request_id", "webhook_deliveries", ["request_id"], schema="consults"
    )
    op.create_index(
        "ix_webhook_deliveries_user_id_id",
        "webhook_deliveries",
        ["user_id", "id"],
        schema="consults",
    )
