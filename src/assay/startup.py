"""Bring up what every process needs before it works: logs and a database at the right revision."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread

from assay import migrations
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.embedded import EmbeddedDatabase
from assay.core.telemetry import traced


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of `settings`, ready for use, closed at the end.

    The embedded one is started and migrated here; one of DATABASE_URL must be at head already.

    Raises:
        SetupError: it cannot be started or reached, or is not migrated.
    """
    if settings.database_url:
        database = Database(settings.database_url, pool_size=settings.database_pool_size)
        try:
            await database.check()
            await migrations.require_head(database)
            async with traced(database):
                yield database
        finally:
            await database.dispose()
        return
    async with embedded_database(settings) as database:
        await migrations.upgrade(database)
        async with traced(database):
            yield database


@asynccontextmanager
async def embedded_database(settings: Settings) -> AsyncIterator[Database]:
    """The embedded database, started but not migrated; it stops with its last user."""
    embedded = EmbeddedDatabase(settings.assay_home)
    dsn = await anyio.to_thread.run_sync(embedded.start)
    database: Database | None = None
    try:
        await embedded.ensure_database()
        database = Database(dsn, pool_size=settings.database_pool_size)
        yield database
    finally:
        if database is not None:
            await database.dispose()
        await anyio.to_thread.run_sync(embedded.stop)
