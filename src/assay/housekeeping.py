"""Removes what nobody needs any more, in small pieces, by one process at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import text

from assay.core.config import Settings
from assay.core.database import DATABASE_ERRORS, Database
from assay.files.backends import open_storage
from assay.files.storage import Storage
from assay.wiring import remove_old_rows, remove_unneeded_bytes

log = structlog.get_logger(__name__)

EVERY_SECONDS = 600.0
AT_ONCE = 5000
# Any fixed number that only this use of advisory locks has.
_LOCK = 0x686F757365


@asynccontextmanager
async def keep_house(settings: Settings, database: Database) -> AsyncIterator[None]:
    """Clear up now and every ten minutes while the context is open.

    Raises:
        SetupError: the storage of files cannot be used as it is set up.
    """
    storage = open_storage(settings)
    task = asyncio.create_task(_keep_clearing(settings, database, storage))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_clearing(settings: Settings, database: Database, storage: Storage) -> None:
    while True:
        try:
            removed = await clear(settings, database)
            files = await remove_unneeded_bytes(database, storage)
        except DATABASE_ERRORS as error:
            log.warning("could not clear up", error=str(error).split("\n", 1)[0])
        else:
            if removed or files:
                log.info("cleared up", rows=removed, files=files)
        await asyncio.sleep(EVERY_SECONDS)


async def clear(settings: Settings, database: Database) -> int:
    """Remove all that is too old; gives the number of rows, 0 where another process does it."""
    removed = 0
    while True:
        async with database.session() as session:
            mine = await session.scalar(
                text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}
            )
            rows = await remove_old_rows(settings, session, AT_ONCE) if mine else 0
        removed += rows
        if rows < AT_ONCE:
            return removed
