"""Agents, their tasks with all that happens in them, sandboxes, and operations with git.

Revision: 2026_11_26_agents, after 2026_11_26_waiting_cells.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_agents"
down_revision = "2026_11_26_waiting_cells"
branch_labels = None
depends_on = None

# Whoever follows a task hears of its events with the commit.
NOTIFY = """
CREATE FUNCTION agents.notify_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('assay_tasks', NEW.task_id::text);
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SCHEMA agents")
    _create_agents()
    _create_tasks()
    op.create_foreign_key(
        op.f("fk_agents_current_task_id"),
        "agents",
        "tasks",
        ["current_task_id"],
        ["id"],
        source_schema="agents",
        referent_schema="agents",
        ondelete="SET NULL",
    )
    _create_sandboxes()
    _create_task_calls()
    _create_task_events()
    _create_task_messages()
    _create_git_operations()
    op.execute(NOTIFY)
    op.execute(
        "CREATE TRIGGER notify_events AFTER INSERT ON agents.task_events "
        "FOR EACH ROW EXECUTE FUNCTION agents.notify_events()"
    )


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP SCHEMA agents CASCADE")


def _create_agents() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("role", sa.String(100), nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("current_task_id", sa.Uuid(), nullable=True),
        sa.Column("sandbox_id", sa.String(255), nullable=True),
        sa.Column("avatar_url", sa.String(2000), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("model", sa.String(255), nullable=True),
        sa.Column(
            "model_parameters", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column(
            "tools", postgresql.ARRAY(sa.String(50)), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "approval_policy", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("provider", sa.String(50), server_default=sa.text("'local'"), nullable=False),
        sa.Column("max_steps", sa.Integer(), server_default=sa.text("100"), nullable=False),
        sa.Column("max_seconds", sa.Integer(), server_default=sa.text("3600"), nullable=False),
        sa.Column("max_cost", sa.Double(), nullable=True),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        schema="agents",
    )
    op.create_index("ix_agents_created_by_id", "agents", ["created_by", "id"], schema="agents")
    op.create_index("ix_agents_current_task_id", "agents", ["current_task_id"], schema="agents")
    op.create_index("ix_agents_project_id", "agents", ["project_id"], schema="agents")


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("priority", sa.String(20), nullable=False),
        sa.Column("assigned_agent_id", sa.Uuid(), nullable=True),
        sa.Column("git_branch", sa.String(255), nullable=True),
        sa.Column("pull_request_url", sa.String(2000), nullable=True),
        sa.Column("repo_url", sa.String(2000), nullable=True),
        sa.Column("base_branch", sa.String(255), nullable=True),
        sa.Column("base_sha", sa.String(40), nullable=True),
        sa.Column("pushed_sha", sa.String(40), nullable=True),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("diff", sa.Text(), nullable=True),
        sa.Column("plan", postgresql.JSONB(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("cost", sa.Double(), server_default=sa.text("0.0"), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("steps", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("seconds", sa.Double(), server_default=sa.text("0.0"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("last_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("read_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
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
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["assigned_agent_id"],
            ["agents.agents.id"],
            name=op.f("fk_tasks_assigned_agent_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        schema="agents",
    )
    op.create_index("ix_tasks_assigned_agent_id", "tasks", ["assigned_agent_id"], schema="agents")
    op.create_index("ix_tasks_created_by_id", "tasks", ["created_by", "id"], schema="agents")
    op.create_index("ix_tasks_project_id", "tasks", ["project_id"], schema="agents")
    op.create_index("ix_tasks_status", "tasks", ["status", "id"], schema="agents")


def _create_sandboxes() -> None:
    op.create_table(
        "sandboxes",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("place", sa.String(64), nullable=True),
        sa.Column("repo_url", sa.String(2000), nullable=True),
        sa.Column("branch_name", sa.String(255), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agents.agents.id"],
            name=op.f("fk_sandboxes_agent_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["agents.tasks.id"], name=op.f("fk_sandboxes_task_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandboxes")),
        schema="agents",
    )
    op.create_index("ix_sandboxes_agent_id", "sandboxes", ["agent_id"], schema="agents")
    op.create_index(
        "ix_sandboxes_created_at_id", "sandboxes", ["created_at", "id"], schema="agents"
    )
    op.create_index(
        "ix_sandboxes_expires_at",
        "sandboxes",
        ["expires_at"],
        schema="agents",
        postgresql_where=sa.text("status IN ('creating', 'running', 'paused')"),
    )
    op.create_index("ix_sandboxes_task_id", "sandboxes", ["task_id"], schema="agents")


def _create_task_calls() -> None:
    op.create_table(
        "task_calls",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.String(255), nullable=False),
        sa.Column("tool", sa.String(50), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("decision", postgresql.JSONB(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["agents.tasks.id"], name=op.f("fk_task_calls_task_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "call_id", name=op.f("pk_task_calls")),
        schema="agents",
    )
    op.create_index("ix_task_calls_request_id", "task_calls", ["request_id"], schema="agents")


def _create_task_events() -> None:
    op.create_table(
        "task_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["agents.tasks.id"],
            name=op.f("fk_task_events_task_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_events")),
        sa.UniqueConstraint("task_id", "sequence", name=op.f("uq_task_events_task_id_sequence")),
        schema="agents",
    )


def _create_task_messages() -> None:
    op.create_table(
        "task_messages",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("message", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["agents.tasks.id"],
            name=op.f("fk_task_messages_task_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_id", "position", name=op.f("pk_task_messages")),
        schema="agents",
    )


def _create_git_operations() -> None:
    op.create_table(
        "git_operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("sandbox_id", sa.String(255), nullable=True),
        sa.Column("operation_type", sa.String(50), nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("commit_sha", sa.String(40), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["sandbox_id"],
            ["agents.sandboxes.id"],
            name=op.f("fk_git_operations_sandbox_id"),
            onupdate="CASCADE",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["agents.tasks.id"],
            name=op.f("fk_git_operations_task_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_git_operations")),
        schema="agents",
    )
    op.create_index(
        "ix_git_operations_sandbox_id", "git_operations", ["sandbox_id"], schema="agents"
    )
    op.create_index(
        "ix_git_operations_task_id_id", "git_operations", ["task_id", "id"], schema="agents"
    )
