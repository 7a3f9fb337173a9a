"""The database schema's history (Alembic), and how a database is brought to its head."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

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
    command.upgrade(alembic_config(connection), revision)


def _downgrade(connection: Connection, revision: str) -> None:
    command.downgrade(alembic_config(connection), revision)


async def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database's tables to `revision`, all or nothing."""
    async with database.engine.begin() as connection:
        await connection.run_sync(_upgrade, revision)
    # Pooled connections may remember the schema from before.
    await database.dispose()


async def downgrade(database: Database, revision: str) -> None:
    """Bring the database's tables back to `revision` (`base`: none left)."""
    async with database.engine.begin() as connection:
        await connection.run_sync(_downgrade, revision)
    await database.dispose()


def head() -> str:
    """The newest revision in this package."""
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert newest is not None
    return newest


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
    raise SetupError(
        f"The database is at revision {at or 'none'}, this Assay needs {head()}. "
        "Run `assay migrate` once, then start again."
    )
