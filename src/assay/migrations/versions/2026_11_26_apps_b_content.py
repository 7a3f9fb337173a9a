"""Listings, prompts, schemas and evaluators of apps.

Revision: 2026_11_26_apps_b_content, after 2026_11_26_apps_a_files.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_apps_b_content"
down_revision = "2026_11_26_apps_a_files"
branch_labels = None
depends_on = None

GRAMS = """
CREATE FUNCTION apps.grams(value text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT coalesce(array_agg(DISTINCT substr(value, place, size)), '{}')
    FROM generate_series(1, length(value)) AS place, generate_series(1, 3) AS size
    WHERE place + size <= length(value) + 1
$$
"""

SOURCE_TYPE: Any = sa.Column("source_type", sa.String(20), nullable=True)


def upgrade() -> None:
    """Apply."""
    # Waiting long for a lock would block everybody behind us; failing is kinder.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_listings()
    _create_versioned("prompts", sa.Column("prompt", sa.Text(), nullable=False), SOURCE_TYPE)
    _create_versioned("schemas", sa.Column("schema_data", postgresql.JSONB(), nullable=False))
    _create_evaluators()


def downgrade() -> None:
    """Take back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("evaluators", "schemas", "prompts", "listings"):
        op.drop_table(table, schema="apps")
    op.execute("DROP FUNCTION apps.grams(text)")


def _create_listings() -> None:
    """The table, and the function that finds the pieces of its titles."""
    op.execute(GRAMS)
    json, text_type = postgresql.JSONB(), sa.Text()
    none, now = sa.text("'[]'::jsonb"), sa.text("clock_timestamp()")
    op.create_table(
        "listings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("app_id", sa.String(50), nullable=False),
        sa.Column("title", sa.String(500), server_default="", nullable=False),
        sa.Column("title_folded", text_type, server_default="", nullable=False),
        sa.Column("status", sa.String(20), server_default="draft", nullable=False),
        sa.Column("source_type", sa.String(20), server_default="upload", nullable=False),
        sa.Column("audio_file", json, nullable=True),
        sa.Column("transcript_file", json, nullable=True),
        sa.Column("structured_json_file", json, nullable=True),
        sa.Column(
            "file_ids",
            postgresql.ARRAY(sa.Uuid()),
            server_default=sa.text("'{}'::uuid[]"),
            nullable=False,
        ),
        sa.Column("transcript", json, nullable=True),
        sa.Column("api_response", json, nullable=True),
        sa.Column("structured_output_references", json, server_default=none, nullable=False),
        sa.Column("structured_outputs", json, server_default=none, nullable=False),
        sa.Column("ai_eval", json, nullable=True),
        sa.Column("human_eval", json, nullable=True),
        sa.Column("evaluator_runs", json, server_default=none, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_listings"),
        schema="apps",
    )
    for columns in (["user_id", "app_id", "id"], ["app_id"], ["updated_at"]):
        name = f"ix_listings_{'_'.join(columns)}"
        op.create_index(name, "listings", columns, schema="apps")
    op.create_index(
        "ix_listings_grams",
        "listings",
        [sa.text("apps.grams(title_folded)")],
        schema="apps",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index(
        "ix_listings_file_ids", "listings", ["file_ids"], schema="apps", postgresql_using="gin"
    )
    for change, rows in (("INSERT", "NEW"), ("DELETE", "OLD")):
        op.execute(
            f"CREATE TRIGGER count_{change.lower()}s AFTER {change} ON apps.listings "
            f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT "
            "EXECUTE FUNCTION apps.count_rows()"
        )


def _timestamps() -> tuple[Any, Any]:
    now = sa.text("clock_timestamp()")
    kind = sa.DateTime(timezone=True)
    return (
        sa.Column("created_at", kind, server_default=now, nullable=False),
        sa.Column("updated_at", kind, server_default=now, nullable=False),
    )


def _create_versioned(table: str, *content: Any) -> None:
    """A table of what is kept in versions; `content` are the columns that it alone has."""
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("app_id", sa.String(50), nullable=False),
        sa.Column("prompt_type", sa.String(50), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        *content,
        *_timestamps(),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint(
            "app_id",
            "prompt_type",
            "version",
            "user_id",
            name=f"uq_{table}_app_id_prompt_type_version_user_id",
        ),
        schema="apps",
    )
    for columns in (["user_id", "app_id", "id"], ["user_id", "app_id", "prompt_type", "id"]):
        name = f"ix_{table}_{'_'.join(columns)}"
        op.create_index(name, table, columns, schema="apps")


def _create_evaluators() -> None:
    op.create_table(
        "evaluators",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.String(50), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=True),
        sa.Column(
            "output_schema", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("is_global", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("show_in_header", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("forked_from", sa.Uuid(), nullable=True),
        *_timestamps(),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["apps.listings.id"],
            name="fk_evaluators_listing_id",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["forked_from"],
            ["apps.evaluators.id"],
            name="fk_evaluators_forked_from",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_evaluators"),
        schema="apps",
    )
    mine = ["app_id", "user_id", "id"]
    for name, columns, condition in (
        ("ix_evaluators_app_id", mine, None),
        ("ix_evaluators_registry", mine, sa.text("is_global")),
        ("ix_evaluators_listing_id", ["listing_id", "id"], None),
        ("ix_evaluators_forked_from", ["forked_from"], None),
    ):
        op.create_index(name, "evaluators", columns, schema="apps", postgresql_where=condition)
