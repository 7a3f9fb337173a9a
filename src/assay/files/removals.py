"""Bytes go after the commit, and never without a row that knows of them.

An upload is written down as due for removal before its first byte, and taken off the list by
the transaction that makes its row. What is deleted goes on the list in the transaction that
deletes the row; its bytes are removed right after, or by housekeeping.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import DATABASE_ERRORS, Database
from assay.core.errors import Conflict
from assay.files.models import Removal
from assay.files.storage import Storage, StorageUnavailable

log = structlog.get_logger(__name__)

LONGEST_UPLOAD = timedelta(hours=24)
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT_DOUBLINGS = 10
AT_ONCE = 100
FAILURES = 3
# The one who deletes waits for the bytes to go, but not long.
RIGHT_AWAY_SECONDS = 10.0
_NOW = timedelta()


class UploadTooSlow(Conflict):
    """The upload took more than a day, and was given up."""

    code = "upload_too_slow"


async def plan_removal(
    session: AsyncSession, keys: Iterable[str], *, after: timedelta = _NOW
) -> None:
    """Write down that these bytes are to go, `after` some time from now."""
    rows = [{"storage_key": key, "due_at": func.clock_timestamp() + after} for key in keys]
    if rows:
        await session.execute(insert(Removal).values(rows).on_conflict_do_nothing())


async def keep(session: AsyncSession, key: str) -> None:
    """Take bytes off the list, in the transaction that makes a row for them.

    Raises:
        UploadTooSlow: they are being removed already.
    """
    # What was once tried to be removed may be gone the next moment.
    waiting = (Removal.storage_key == key) & (Removal.attempts == 0)
    statement = delete(Removal).where(waiting).returning(Removal.storage_key)
    if await session.scalar(statement) is None:
        raise UploadTooSlow


async def make_due(session: AsyncSession, key: str) -> None:
    """Let bytes go at once that were on the list for later."""
    await session.execute(
        update(Removal)
        .where(Removal.storage_key == key)
        .values(due_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


async def remove_now(database: Database, storage: Storage, keys: Sequence[str]) -> None:
    """Remove bytes whose removal is planned, if that is quick; housekeeping does the rest."""
    try:
        async with asyncio.timeout(RIGHT_AWAY_SECONDS):
            await _remove(database, storage, keys)
    except (TimeoutError, *DATABASE_ERRORS) as error:
        log.warning("bytes are removed later", error=str(error).split("\n", 1)[0])


async def remove_due(database: Database, storage: Storage) -> int:
    """Remove all bytes that are due; gives how many objects went.

    Where the storage does not answer they are tried again later: after a minute, then after
    twice as long each time, up to some 17 hours.
    """
    removed = 0
    while keys := await _claim(database):
        gone = await _remove(database, storage, keys)
        removed += gone
        if not gone:
            break
    return removed


async def _claim(database: Database) -> Sequence[str]:
    due = (
        select(Removal.storage_key)
        .where(Removal.due_at <= func.clock_timestamp())
        .order_by(Removal.due_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    wait = FIRST_WAIT * func.power(2, func.least(Removal.attempts, LONGEST_WAIT_DOUBLINGS))
    statement = (
        update(Removal)
        .where(Removal.storage_key.in_(due))
        .values(attempts=Removal.attempts + 1, due_at=func.clock_timestamp() + wait)
        .returning(Removal.storage_key)
        .execution_options(synchronize_session=False)
    )
    async with database.session() as session:
        return (await session.scalars(statement)).all()


async def _remove(database: Database, storage: Storage, keys: Sequence[str]) -> int:
    gone, kept = [], 0
    for key in keys:
        try:
            await storage.remove(key)
        except StorageUnavailable as error:
            log.warning("the storage keeps bytes", error=str(error.__cause__).split("\n", 1)[0])
            kept += 1
            if kept == FAILURES:
                # What holds these up holds up the others.
                break
        else:
            gone.append(key)
    if gone:
        async with database.session() as session:
            await session.execute(delete(Removal).where(Removal.storage_key.in_(gone)))
    return len(gone)
