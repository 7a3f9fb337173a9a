"""The database of a command that does not need it to be migrated."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.core.config import Settings
from assay.core.database import Database
from assay.startup import embedded_database


def database_name(settings: Settings) -> str:
    """Which database the settings mean, without user and password."""
    if settings.database_url is None:
        return f"the embedded database in {settings.assay_home}"
    rest = settings.database_url.partition("://")[2]
    return f"the database {rest.rpartition('@')[2].partition('?')[0]}"


@asynccontextmanager
async def reach_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings at whatever revision it is.

    Raises:
        SetupError: it cannot be started or reached.
    """
    if settings.database_url is None:
        async with embedded_database(settings) as database:
            yield database
        return
    database = Database(settings.database_url)
    try:
        await database.check()
        yield database
    finally:
        await database.dispose()
