"""Chat, tags, history and settings of apps.

Revision: 2026_11_26_apps_c_chat, after 2026_11_26_apps_b_content.
"""

from itertools import product
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_apps_c_chat"
down_revision = "2026_11_26_apps_b_content"
branch_labels = None
depends_on = None

APPS: Any = {"schema": "apps"}
NOW = sa.text("clock_timestamp()")
OWNER: Any = ("user_id", sa.String(100))
HISTORY_INDEXES = (
    ("timestamp",),
    ("entity_type", "entity_id", "timestamp"),
    ("source_type", "source_id", "timestamp"),
    ("app_id", "source_type", "timestamp"),
    ("entity_id", "source_type", "source_id", "timestamp"),
    ("user_id", "timestamp", "id"),
    ("user_id", "app_id", "timestamp", "id"),
    ("user_id", "app_id", "source_type", "timestamp", "id"),
    ("user_id", "app_id", "status", "timestamp", "id"),
)


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_chats()
    _create_tags()
    _create_history()
    _create_settings()
    # As 2026_11_26_apps_a_files says: so that nobody has to count a million rows.
    for table, (change, rows) in product(
        ("chat_sessions", "history"), (("INSERT", "NEW"), ("DELETE", "OLD"))
    ):
        op.execute(
            f"CREATE TRIGGER count_{change.lower()}s AFTER {change} ON apps.{table} "
            f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT "
            "EXECUTE FUNCTION apps.count_rows()"
        )


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("settings", "history", "tags", "chat_messages", "chat_sessions"):
        op.drop_table(table, **APPS)


def _create_chats() -> None:
    op.create_table(
        "chat_sessions",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("app_id", sa.String(50), nullable=False),
        sa.Column("external_user_id", sa.String(100)),
        sa.Column("thread_id", sa.String(200)),
        sa.Column("server_session_id", sa.String(200)),
        sa.Column("last_response_id", sa.String(200)),
        sa.Column("title", sa.String(500), server_default="New Chat", nullable=False),
        sa.Column("status", sa.String(20), server_default="active", nullable=False),
        sa.Column("is_first_message", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column(*OWNER, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_sessions"),
        **APPS,
    )
    _create_index("chat_sessions", "app_id")
    _create_index("chat_sessions", "user_id", "app_id", "id")
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("content", sa.Text(), server_default="", nullable=False),
        sa.Column("metadata", postgresql.JSONB()),
        sa.Column("status", sa.String(20), server_default="complete", nullable=False),
        sa.Column("error_message", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column(*OWNER, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_messages"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["apps.chat_sessions.id"],
            name="fk_chat_messages_session_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "jsonb_typeof(metadata -> 'tags') = 'array'",
            name=op.f("ck_chat_messages_tags_are_a_list"),
        ),
        **APPS,
    )
    _create_index("chat_messages", "session_id", "id")
    op.create_index(
        "ix_chat_messages_tags",
        "chat_messages",
        [sa.text("(metadata -> 'tags') jsonb_path_ops")],
        postgresql_using="gin",
        **APPS,
    )


def _create_tags() -> None:
    op.create_table(
        "tags",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("app_id", sa.String(50), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_used", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column(*OWNER, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.UniqueConstraint("app_id", "name", "user_id", name="uq_tags_app_id_name_user_id"),
        sa.CheckConstraint("count >= 0", name=op.f("ck_tags_not_below_zero")),
        **APPS,
    )


def _create_history() -> None:
    op.create_table(
        "history",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("app_id", sa.String(50), nullable=False),
        sa.Column("entity_type", sa.String(50)),
        sa.Column("entity_id", sa.String(200)),
        sa.Column("source_type", sa.String(50), nullable=False),
        sa.Column("source_id", sa.String(200)),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("duration_ms", sa.Double()),
        sa.Column("data", postgresql.JSONB()),
        sa.Column("triggered_by", sa.String(20), server_default="manual", nullable=False),
        sa.Column("schema_version", sa.String(20)),
        sa.Column("user_context", postgresql.JSONB()),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(*OWNER, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history"),
        **APPS,
    )
    for columns in HISTORY_INDEXES:
        _create_index("history", *columns)


def _create_settings() -> None:
    op.create_table(
        "settings",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("app_id", sa.String(50)),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column(*OWNER, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_settings"),
        sa.UniqueConstraint(
            "app_id",
            "key",
            "user_id",
            name="uq_settings_app_id_key_user_id",
            postgresql_nulls_not_distinct=True,
        ),
        **APPS,
    )


def _create_index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), **APPS)
