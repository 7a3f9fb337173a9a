"""Reviewers who answer whatever is asked, for tests without a server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import select

from assay.consults.requests.deciding import RequestEnded, respond
from assay.consults.requests.models import ConsultationRequest, RequestStatus
from assay.consults.requests.schemas import ResponseCreate
from assay.core.database import Database
from assay.identity.actor import LOCAL_ACTOR
from assay.identity.sight import Sight
from assay.wiring import projects_of

SIGHT = Sight(LOCAL_ACTOR, None, projects_of)


async def pending(database: Database) -> list[UUID]:
    """The requests that wait for an answer."""
    waiting = ConsultationRequest.status == RequestStatus.pending
    async with database.session() as session:
        return list(await session.scalars(select(ConsultationRequest.id).where(waiting)))


async def approve_all(database: Database) -> None:
    """Say yes to all that is asked now."""
    for request_id in await pending(database):
        with contextlib.suppress(RequestEnded):
            async with database.session() as session:
                answer = ResponseCreate(value={"approved": True})
                await respond(session, SIGHT, request_id, answer)


@contextlib.asynccontextmanager
async def approving(database: Database) -> AsyncIterator[None]:
    """Say yes to all that is asked as long as the context lasts."""

    async def go_on() -> None:
        while True:
            await approve_all(database)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
