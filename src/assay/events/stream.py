"""One reader's stream of events of the feed."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import orjson

from assay.core.database import Database
from assay.core.server_sent import HEARTBEAT, HEARTBEAT_SECONDS, ServerSentEvents, Tell
from assay.events import service
from assay.events.feed import EventFeed, FeedEvent, Sight, encoded, select_blocks

REPLAY_AT_ONCE = 1000


class Reader(Protocol):
    """Somebody who reads the feed; what they may see can change while they read."""

    @property
    def stale(self) -> bool:
        """Whether what is known of their rights may be out of date."""
        ...

    def sight(self) -> Awaitable[Sight | None]:
        """What they may see now; `None` where they may not read any more."""
        ...


class EventStream(ServerSentEvents):
    """The answer to a reader: what they missed, then what happens, until one of both leaves."""

    def __init__(
        self, feed: EventFeed, database: Database, reader: Reader, after: int | None
    ) -> None:
        """Begin behind position `after`, or with what happens from now on."""
        super().__init__()
        self._feed = feed
        self._database = database
        self._reader = reader
        self._after = after

    async def tell_all(self, tell: Tell) -> None:
        """Tell what was missed, then what happens."""
        if self._after is not None:
            await self._feed.catch_up(self._after)
        place, head = self._feed.end, self._feed.head
        await tell(b"\n" if self._after is not None else b"id: %d\n\n" % head)
        sight = await self._reader.sight()
        if self._after is not None and sight is not None:
            await self._replay(tell, sight, self._after, head)
        while not self._feed.closed:
            # It can change again while it is asked for.
            while sight is not None and self._reader.stale:
                sight = await self._reader.sight()
            if sight is None:
                return
            blocks, place = self._feed.take(place, sight), self._feed.end
            if blocks is None:
                raise TimeoutError
            if blocks:
                await tell(blocks)
            elif not await self._feed.wait(place, HEARTBEAT_SECONDS):
                await tell(HEARTBEAT)

    async def _replay(self, tell: Tell, sight: Sight, after: int, head: int) -> None:
        async with self._database.session() as session:
            first = await service.first_position(session)
        if after > head or after < (first or 1) - 1:
            await tell(_lost_block(head))
            return
        while after < head and (missed := await self._missed(after, head)):
            if blocks := select_blocks(missed, sight):
                await tell(blocks)
            after = missed[-1].position

    async def _missed(self, after: int, head: int) -> Sequence[FeedEvent]:
        # Most come back soon, and when a network comes back, all of them at once.
        kept = self._feed.behind(after, head, REPLAY_AT_ONCE)
        if kept is not None:
            return kept
        async with self._database.session() as session:
            events = await service.read_after(session, after, until=head, limit=REPLAY_AT_ONCE)
        return [encoded(event) for event in events]


def _lost_block(head: int) -> bytes:
    body = orjson.dumps(
        {
            "id": str(head),
            "type": "events.lost",
            "topic": None,
            "data": {"detail": "Events since your last one are not kept any more; load anew."},
        }
    )
    return b"id: %d\ndata: %b\n\n" % (head, body)
