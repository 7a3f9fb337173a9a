"""Users, sign-ins, API keys, the audit, shared projects, and stored credentials of providers.

Revision: 2026_11_25_identity, after 2026_11_25_events.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_25_identity"
down_revision = "2026_11_25_events"
branch_labels = None
depends_on = None

# Whoever remembers who may do what is told when that changes, also by hand or from another
# process. What changes all the time, such as when a key was last used, is left out.
WATCHED = (
    ("identity.users", "INSERT OR DELETE OR UPDATE OF role, is_active", "assay_identity"),
    ("identity.sessions", "UPDATE OF revoked_at", "assay_identity"),
    (
        "identity.api_keys",
        "DELETE OR UPDATE OF revoked_at, expires_at, scopes, hash, project_id",
        "assay_identity",
    ),
    ("playground.project_members", "INSERT OR DELETE OR UPDATE", "assay_identity"),
    ("gateway.provider_credentials", "INSERT OR DELETE OR UPDATE", "assay_credentials"),
)
TELL = """
CREATE FUNCTION identity.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SCHEMA identity")
    _create_users()
    _create_sessions()
    _create_keys()
    _create_audit()
    _create_members()
    _create_credentials()
    _add_projects_to_runs()
    op.execute(TELL)
    for table, changes, channel in WATCHED:
        op.execute(
            f"CREATE TRIGGER tell AFTER {changes} ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION identity.tell('{channel}')"
        )


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("eval_runs", "project_id", schema="playground")
    op.drop_table("project_members", schema="playground")
    op.drop_table("provider_credentials", schema="gateway")
    op.execute("DROP SCHEMA identity CASCADE")


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=300), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_in_lower_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        schema="identity",
    )
    op.create_index(
        "ix_users_role",
        "users",
        ["role"],
        unique=False,
        schema="identity",
        postgresql_where=sa.text("is_active"),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_because", sa.String(length=50), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity.users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        schema="identity",
    )
    op.create_index(
        "ix_sessions_expires_at", "sessions", ["expires_at"], unique=False, schema="identity"
    )
    op.create_index(
        op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False, schema="identity"
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["identity.sessions.id"],
            name=op.f("fk_refresh_tokens_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_tokens")),
        schema="identity",
    )
    op.create_index(
        "ix_refresh_tokens_session_id",
        "refresh_tokens",
        ["session_id"],
        unique=False,
        schema="identity",
    )
    op.create_table(
        "login_limits",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_limits")),
        schema="identity",
    )
    op.create_index("ix_login_limits_due", "login_limits", ["due"], unique=False, schema="identity")


def _create_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("lookup", sa.String(length=20), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=50)), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity.users.id"], name=op.f("fk_api_keys_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("lookup", name=op.f("uq_api_keys_lookup")),
        schema="identity",
    )
    op.create_index(
        op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False, schema="identity"
    )
    op.create_table(
        "own_secrets",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_own_secrets")),
        schema="identity",
    )


def _create_audit() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=100), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        schema="identity",
    )
    op.create_index(
        "ix_audit_log_created_at", "audit_log", ["created_at"], unique=False, schema="identity"
    )
    op.create_index(
        "ix_audit_log_project_id_id",
        "audit_log",
        ["project_id", "id"],
        unique=False,
        schema="identity",
    )
    op.create_index(
        "ix_audit_log_subject_id", "audit_log", ["subject", "id"], unique=False, schema="identity"
    )
    op.create_index(
        "ix_audit_log_user_id_id", "audit_log", ["user_id", "id"], unique=False, schema="identity"
    )


def _create_members() -> None:
    op.create_table(
        "project_members",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("added_by", sa.String(length=100), nullable=False),
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
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["playground.projects.id"],
            name=op.f("fk_project_members_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["identity.users.id"],
            name=op.f("fk_project_members_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", "user_id", name=op.f("pk_project_members")),
        schema="playground",
    )
    op.create_index(
        op.f("ix_project_members_user_id"),
        "project_members",
        ["user_id"],
        unique=False,
        schema="playground",
    )


def _create_credentials() -> None:
    op.create_table(
        "provider_credentials",
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("api_key", sa.LargeBinary(), nullable=True),
        sa.Column("base_url", sa.String(length=500), nullable=True),
        sa.Column("updated_by", sa.String(length=100), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_credentials")),
        schema="gateway",
    )


def _add_projects_to_runs() -> None:
    op.add_column("eval_runs", sa.Column("project_id", sa.Uuid()), schema="playground")
    op.execute("""
        UPDATE playground.eval_runs AS run SET project_id = use_case.project_id
        FROM playground.datasets AS dataset
        JOIN playground.use_cases AS use_case ON use_case.id = dataset.use_case_id
        WHERE dataset.id = run.dataset_id
    """)
    op.alter_column("eval_runs", "project_id", nullable=False, schema="playground")
    op.create_index(
        "ix_eval_runs_project_id_id",
        "eval_runs",
        ["project_id", "id"],
        unique=False,
        schema="playground",
    )
    op.create_foreign_key(
        op.f("fk_eval_runs_project_id"),
        "eval_runs",
        "projects",
        ["project_id"],
        ["id"],
        source_schema="playground",
        referent_schema="playground",
        ondelete="CASCADE",
    )
