"""Wait for the end of a request: a client holds on to its answer, and nothing else is held.

Each that waits is an entry in a table of this process: no thread, no connection to the database.
One connection of the process hears which requests have come to their end.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

from starlette.types import Receive

from assay.consults.requests.models import RequestStatus
from assay.consults.requests.reading import describe, get_request
from assay.consults.requests.schemas import RequestRead
from assay.consults.requests.seeing import Sight
from assay.core.database import Database
from assay.core.hanging_up import until_hung_up
from assay.core.listening import Listener

CHANNEL = "assay_consults"
"""Notified by the database with the id of each request that comes to its end."""

LONGEST_WAIT = 60.0


class EndedRequests:
    """Tells those who wait in this process of requests that come to their end."""

    def __init__(self, listener: Listener) -> None:
        """Hear of them from `listener`."""
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False
        listener.on_payload(CHANNEL, self._heard)

    @contextlib.contextmanager
    def expect(self, request_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when the request may have come to its end."""
        key, event = str(request_id), asyncio.Event()
        if self._closed:
            event.set()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(map(len, self._waiting.values()))

    @property
    def closed(self) -> bool:
        """Whether nobody should wait any more, because the server stops."""
        return self._closed

    def close(self) -> None:
        """Let all who wait go with what is known now."""
        self._closed = True
        self._heard("")

    def _heard(self, request_id: str) -> None:
        # Without an id something may have been missed, so all have to look.
        heard = [request_id] if request_id else list(self._waiting)
        for key in heard:
            for event in self._waiting.get(key, ()):
                event.set()


async def read_at_end(
    database: Database,
    ended: EndedRequests,
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
