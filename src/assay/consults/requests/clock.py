"""The clock: deadlines and escalations, each at its time and once.

What is due is found by looking, once a second and at the next moment that something is due, so
that a server which was down catches up when it is back. A request is held while it is moved on,
and workers leave out what another one holds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from assay.consults.requests.assignment import add_escalated
from assay.consults.requests.deciding import Ending, Held, end
from assay.consults.requests.models import ConsultationRequest, DecidedBy, RequestStatus
from assay.core.database import DATABASE_ERRORS, Database

log = structlog.get_logger(__name__)

Moment = InstrumentedAttribute[datetime | None]

LOOK_EVERY = 1.0
AT_ONCE = 100


@asynccontextmanager
async def keep_time(database: Database) -> AsyncIterator[None]:
    """End and escalate requests at their time while the context is open."""
    task = asyncio.create_task(_keep_looking(database))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_looking(database: Database) -> None:
    while True:
        try:
            await move_on(database)
            pause = await _until_next(database)
        except DATABASE_ERRORS as error:
            log.warning("deadlines cannot be looked at", error=str(error).split("\n", 1)[0])
            pause = LOOK_EVERY
        await asyncio.sleep(pause)


async def move_on(database: Database) -> int:
    """Move on all that is due now, some at a time; gives the number."""
    moved = 0
    while True:
        async with database.session() as session:
            some = await _end_due(session) + await _escalate_due(session)
        moved += some
        if some == 0:
            return moved


async def _due(session: AsyncSession, moment: Moment) -> list[Held]:
    row = ConsultationRequest
    query = (
        select(row, func.clock_timestamp())
        .where(row.status == RequestStatus.pending, moment <= func.clock_timestamp())
        .order_by(moment)
        .limit(AT_ONCE)
        .with_for_update(of=row, skip_locked=True)
    )
    return [Held(*found) for found in await session.execute(query)]


async def _end_due(session: AsyncSession) -> int:
    due = await _due(session, ConsultationRequest.deadline)
    await end(session, None, *(Ending(held, _at_deadline(held.request)) for held in due))
    return len(due)


def _at_deadline(request: ConsultationRequest) -> RequestStatus:
    """How a request ends at its deadline; a default becomes its response."""
    if request.default_response is None:
        return RequestStatus.expired
    request.response, request.decided_by = request.default_response, DecidedBy.default
    return RequestStatus.answered


async def _escalate_due(session: AsyncSession) -> int:
    due = await _due(session, ConsultationRequest.escalate_at)
    for held in due:
        ids, role = held.request.escalate_to_ids, held.request.escalate_to_role
        await add_escalated(session, None, held, ids, role, None)
    return len(due)


async def _until_next(database: Database) -> float:
    """Seconds until something is due, one second at most."""
    row = ConsultationRequest
    pending = row.status == RequestStatus.pending
    firsts = [
        select(func.min(moment)).where(pending).scalar_subquery()
        for moment in (row.deadline, row.escalate_at)
    ]
    async with database.reading() as session:
        left: timedelta | None = await session.scalar(
            select(func.least(*firsts) - func.clock_timestamp())
        )
    return LOOK_EVERY if left is None else min(LOOK_EVERY, max(0.01, left.total_seconds()))
