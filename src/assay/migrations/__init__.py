"""The database schema's history (Alembic), and how a database is brought to its head."""

from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from assay.core.database import Database
from assay.core.errors import SetupError

# Any fixed number that only Assay's migrations use.
_LOCK = 0x6173736179


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the migrations in this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    # Two servers that start at once on one database take turns.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    _require_known(MigrationContext.configure(connection).get_current_revision())
    command.upgrade(alembic_config(connection), revision)


def _downgrade(connection: Connection, revision: str) -> None:
    command.downgrade(alembic_config(connection), revision)


async def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database's tables to `revision`, all or nothing.

    Raises:
        SetupError: the database does not let us, or a newer Assay has migrated it.
    """
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(_upgrade, revision)
    except (DBAPIError, asyncpg.PostgresError) as error:
        cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
        raise SetupError(f"The migration failed and has changed nothing: {cause}") from error
    # Pooled connections may remember the schema from before.
    await database.dispose()


async def downgrade(database: Database, revision: str) -> None:
    """Bring the database's tables back to `revision` (`base`: none left)."""
    async with database.engine.begin() as connection:
        await connection.run_sync(_downgrade, revision)
    await database.dispose()


def head() -> str:
    """The newest revision in this package."""
    newest = _script().get_current_head()
    assert newest is not None
    return newest


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _require_known(at: str | None) -> None:
    if at is not None and at not in {script.revision for script in _script().walk_revisions()}:
        raise SetupError(
            f"The database is at revision {at}, which this Assay does not know: a newer one has "
            "migrated it. Update Assay, or use another database."
        )


async def current(database: Database) -> str | None:
    """The revision the database is at; `None` where it was never migrated."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


async def require_head(database: Database) -> None:
    """Make sure that the database fits this version of Assay.

    Raises:
        SetupError: it does not; the message says what to do.
    """
    at = await current(database)
    if at == head():
        return
    _require_known(at)
    raise SetupError(
        f"The database is at revision {at or 'none'}, this Assay needs {head()}. "
        "Run `assay migrate` once, then start again."
    )
