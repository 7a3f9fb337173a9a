"""Alembic's entry: runs the migrations on the connection it is handed."""

from alembic import context

from assay.wiring import metadata

ROOM_SCHEMAS = {table.schema for table in metadata.tables.values()}


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    # The engine's tables are PgQueuer's own business.
    return name in ROOM_SCHEMAS if kind == "schema" else True


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_name=_ours,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
