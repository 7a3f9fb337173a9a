"""Jobs with their engine, leases, projects, prompts and datasets.

Revision: 2026_11_23_foundation, the first.
"""

import sqlalchemy as sa
from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from sqlalchemy.dialects import postgresql

from assay.jobs.service import ENGINE_SETTINGS

revision = "2026_11_23_foundation"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for schema in ("jobs", "gateway", "playground"):
        op.execute(f"CREATE SCHEMA {schema}")
    _install_engine()
    _create_jobs()
    _create_gateway()
    _create_projects()
    _create_prompts()
    _create_datasets()


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for schema in ("playground", "gateway", "jobs", ENGINE_SETTINGS.db_schema):
        op.execute(f"DROP SCHEMA {schema} CASCADE")


def _install_engine() -> None:
    script = QueryBuilderEnvironment(settings=ENGINE_SETTINGS).build_install_query()
    # Many statements at once, which only the driver itself takes.
    adapter = op.get_bind().connection.dbapi_connection
    assert adapter is not None
    adapter.run_async(lambda connection: connection.execute(script))


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_type", sa.String(length=50), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("params", postgresql.JSONB(), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("progress", postgresql.JSONB(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fruitless_starts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("engine_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.String(length=100), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        schema="jobs",
    )
    op.create_index(
        "ix_jobs_parent_id",
        "jobs",
        ["parent_id"],
        unique=False,
        schema="jobs",
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_index("ix_jobs_status", "jobs", ["status"], unique=False, schema="jobs")


def _create_gateway() -> None:
    op.create_table(
        "leases",
        sa.Column("scope", sa.String(length=300), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "holder", name=op.f("pk_leases")),
        schema="gateway",
    )


def _create_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        schema="playground",
    )
    op.create_table(
        "use_cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
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
            name=op.f("fk_use_cases_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use_cases")),
        schema="playground",
    )
    op.create_index(
        op.f("ix_use_cases_project_id"),
        "use_cases",
        ["project_id"],
        unique=False,
        schema="playground",
    )


def _create_prompts() -> None:
    op.create_table(
        "prompts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("use_case_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column(
            "tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("last_version_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
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
            ["use_case_id"],
            ["playground.use_cases.id"],
            name=op.f("fk_prompts_use_case_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompts")),
        schema="playground",
    )
    op.create_index(
        "ix_prompts_tags",
        "prompts",
        ["tags"],
        unique=False,
        schema="playground",
        postgresql_using="gin",
    )
    op.create_index(
        op.f("ix_prompts_use_case_id"),
        "prompts",
        ["use_case_id"],
        unique=False,
        schema="playground",
    )
    op.create_table(
        "prompt_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prompt_id", sa.Uuid(), nullable=False),
        sa.Column("version_number", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("template_text", sa.String(), nullable=True),
        sa.Column("template_messages", postgresql.JSONB(), nullable=True),
        sa.Column("model_defaults", postgresql.JSONB(), nullable=True),
        sa.Column("variables_schema", postgresql.JSONB(), nullable=True),
        sa.Column("commit_message", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("created_by", sa.String(length=255), nullable=True),
        sa.CheckConstraint(
            "(type = 'text') = (template_text IS NOT NULL)"
            " AND (type = 'chat') = (template_messages IS NOT NULL)",
            name=op.f("ck_prompt_versions_template_fits_type"),
        ),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["playground.prompts.id"],
            name=op.f("fk_prompt_versions_prompt_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_versions")),
        sa.UniqueConstraint("prompt_id", "id", name=op.f("uq_prompt_versions_prompt_id_id")),
        sa.UniqueConstraint(
            "prompt_id", "version_number", name=op.f("uq_prompt_versions_prompt_id_version_number")
        ),
        schema="playground",
    )
    op.create_table(
        "prompt_labels",
        sa.Column("prompt_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["prompt_id", "version_id"],
            ["playground.prompt_versions.prompt_id", "playground.prompt_versions.id"],
            name=op.f("fk_prompt_labels_prompt_id_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("prompt_id", "label", name=op.f("pk_prompt_labels")),
        schema="playground",
    )


def _create_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("use_case_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("input_schema", postgresql.JSONB(), nullable=True),
        sa.Column("expected_output_schema", postgresql.JSONB(), nullable=True),
        sa.Column("default_assertions", postgresql.JSONB(), nullable=True),
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
            ["use_case_id"],
            ["playground.use_cases.id"],
            name=op.f("fk_datasets_use_case_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        schema="playground",
    )
    op.create_index(
        op.f("ix_datasets_use_case_id"),
        "datasets",
        ["use_case_id"],
        unique=False,
        schema="playground",
    )
    op.create_table(
        "dataset_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("input", postgresql.JSONB(), nullable=False),
        sa.Column("expected_output", postgresql.JSONB(), nullable=True),
        sa.Column("assertions", postgresql.JSONB(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
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
            ["dataset_id"],
            ["playground.datasets.id"],
            name=op.f("fk_dataset_items_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_items")),
        sa.UniqueConstraint("dataset_id", "id", name=op.f("uq_dataset_items_dataset_id_id")),
        schema="playground",
    )
