"""Housekeeping: sandboxes that nobody needs are destroyed, rows whose sandbox is gone say so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import ColumnElement, and_, or_, select

from assay.agents.sandboxes import rows
from assay.agents.sandboxes.lifecycle import MAKING_SECONDS, Sandboxes
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.sandboxes.providers.types import SandboxProvider
from assay.agents.tasks.models import ENDED, Task
from assay.core.database import DATABASE_ERRORS, Database
from assay.core.errors import AssayError

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
ABANDONED_SECONDS = 2 * MAKING_SECONDS
"""A sandbox that is still being made after this is made by nobody."""
GIVEN_UP_SECONDS = 24 * 3600.0
"""Behind its end, a row whose machine or provider does not come back is closed."""

_THERE = (SandboxStatus.running, SandboxStatus.paused)


@asynccontextmanager
async def keep_sandboxes(sandboxes: Sandboxes, database: Database) -> AsyncIterator[None]:
    """Clear up now and every minute while the context is open."""
    task = asyncio.create_task(_keep_clearing(sandboxes, database))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_clearing(sandboxes: Sandboxes, database: Database) -> None:
    while True:
        try:
            if cleared := await clear_lost(sandboxes, database):
                log.info("sandboxes cleared up", sandboxes=cleared)
        except DATABASE_ERRORS as error:
            log.warning("sandboxes not cleared up", error=str(error).split("\n", 1)[0])
        await asyncio.sleep(EVERY_SECONDS)


async def clear_lost(sandboxes: Sandboxes, database: Database) -> int:
    """Destroy what nobody needs and close the rows of what is gone; gives how many of both.

    Destroyed are sandboxes past their `expires_at`, those of tasks that have ended, those that
    nobody makes any more, and those with a label of this installation that no active row has. The
    sandbox of a task that is under way stays until it expires. Decided is only about what can be
    seen from here; a provider that does not answer is left for the next time.
    """
    cleared = 0
    for provider in sandboxes.providers.values():
        try:
            cleared += await _clear(sandboxes, database, provider)
        except AssayError as error:
            if await _find(database, _of(sandboxes, provider.name)):
                log.warning("sandboxes not cleared up", provider=provider.name, error=error.detail)
    return cleared + await _give_up(sandboxes, database)


async def _clear(sandboxes: Sandboxes, database: Database, provider: SandboxProvider) -> int:
    here = _of(sandboxes, provider.name)
    before = {row.id for row in await _find(database, and_(here, Sandbox.status.in_(_THERE)))}
    there = await provider.labels()
    # Rows come before their sandboxes, so what is there by now had its row before this is read.
    active = await _find(database, here)
    known = {row.id for row in active}
    lost = [
        sandbox_id
        for label, sandbox_id in there.items()
        if label.startswith(sandboxes.prefix)
        and sandbox_id not in known
        and label.removeprefix(sandboxes.prefix) not in known
    ]
    for sandbox_id in lost:
        await provider.destroy(sandbox_id)
        log.warning("lost sandbox destroyed", provider=provider.name, sandbox=sandbox_id)
    vanished = (before & known) - set(there.values())
    for sandbox_id in vanished:
        await sandboxes.fail(database, sandbox_id, "The sandbox is not there any more")
    due = [row.id for row in await _find(database, and_(here, _due())) if row.id not in vanished]
    for sandbox_id in due:
        await sandboxes.destroy(database, sandbox_id)
    return len(lost) + len(vanished) + len(due)


async def _give_up(sandboxes: Sandboxes, database: Database) -> int:
    """Close rows of what cannot be seen from here and whose time is long over."""
    over = Sandbox.expires_at < rows.in_seconds(-GIVEN_UP_SECONDS)
    left = await _find(database, over)
    for row in left:
        reason = "Where it was has not come back since its time was over"
        await sandboxes.fail(database, row.id, reason)
    return len(left)


def _of(sandboxes: Sandboxes, provider: str) -> ColumnElement[bool]:
    """Whether a sandbox is of this provider, and can be seen from here."""
    bound_here = Sandbox.place.is_(None) | (Sandbox.place == sandboxes.place(provider))
    return and_(Sandbox.provider == provider, bound_here)


def _due() -> ColumnElement[bool]:
    abandoned = Sandbox.created_at < rows.in_seconds(-ABANDONED_SECONDS)
    return or_(
        Sandbox.expires_at <= rows.in_seconds(0),
        and_(Sandbox.status == SandboxStatus.creating, abandoned),
        Sandbox.task_id.is_(None),
        select(Task.id).where(Task.id == Sandbox.task_id, Task.status.in_(ENDED)).exists(),
    )


async def _find(database: Database, condition: ColumnElement[bool]) -> Sequence[Sandbox]:
    """The active rows for which a condition holds."""
    query = select(Sandbox).where(Sandbox.status.in_(rows.ACTIVE), condition)
    async with database.reading() as session:
        return (await session.scalars(query)).all()
