"""Wait for the end of a request: a client holds on to its answer, and nothing else is held."""

import asyncio
import contextlib
import time
from uuid import UUID

from starlette.types import Receive

from assay.consults.requests.models import RequestStatus
from assay.consults.requests.reading import describe, get_request
from assay.consults.requests.schemas import RequestRead
from assay.core.database import Database
from assay.core.hanging_up import until_hung_up
from assay.core.waiters import Waiters
from assay.identity.sight import Sight

CHANNEL = "assay_consults"
"""Notified by the database with the id of each request that comes to its end."""

LONGEST_WAIT = 60.0


async def read_at_end(
    database: Database,
    ended: Waiters,
    sight: Sight,
    request_id: UUID,
    seconds: float,
    receive: Receive,
) -> RequestRead:
    """A request once it has come to its end, or as it is after so many seconds.

    Args:
        database: read before and after, and not while waiting.
        ended: tells of the end.
        sight: of the reader.
        request_id: which.
        seconds: how long to wait at most; 0 for not at all.
        receive: of the HTTP request; who hangs up waits no longer.

    Raises:
        RequestNotFound: also where it stops being seen meanwhile.
    """
    until = time.monotonic() + seconds
    listening = True
    while True:
        with ended.expect(request_id) as event:
            async with database.reading() as session:
                request = await get_request(session, sight, request_id)
                left = until - time.monotonic()
                over = request.status is not RequestStatus.pending or left <= 0
                if over or ended.closed or not listening:
                    return await describe(session, sight, request)
            listening = False
            async with until_hung_up(receive):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await event.wait()
                listening = True
