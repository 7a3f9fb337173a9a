"""The feed: what one server process knows of the event log, for all of its readers.

One task reads new events from the database, once for the whole process, and keeps the last ones
in a list. Each reader has its own place in that list and takes what is there when it can: there
is no queue for a reader, so one that does not read costs nothing but its connection.
"""

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

import orjson
import structlog

from assay.core.database import DATABASE_ERRORS, Database
from assay.core.listening import Listener
from assay.events import service
from assay.events.models import CHANNEL, Event, Topic

log = structlog.get_logger(__name__)

# Events that come within this time go out together: with hundreds of readers, each piece that
# is sent costs more than what is in it.
GATHER_SECONDS = 0.03
# How often to look without being notified.
LOOK_EVERY = 2.0
READ_AT_ONCE = 2000
# A reader that is further behind than this is dropped; it may come back and catch up.
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event as the feed holds it: what decides who sees it, and how it is sent."""

    position: int
    topic: Topic
    subject: str | None
    project_id: UUID | None
    user_id: str | None
    block: bytes


class Sight(Protocol):
    """What a reader may see and wants to see; equal ones share their work, so it is hashable."""

    def sees(self, event: FeedEvent) -> bool:
        """Whether this event is one of them."""
        ...


def encoded(event: Event) -> FeedEvent:
    """An event as a block of the stream: its position as id, then a JSON object of all."""
    assert event.position is not None
    body = orjson.dumps(
        {
            "id": str(event.position),
            "type": event.type,
            "topic": event.topic,
            "data": event.data,
        }
    )
    return FeedEvent(
        event.position,
        event.topic,
        event.subject,
        event.project_id,
        event.user_id,
        b"id: %d\ndata: %b\n\n" % (event.position, body),
    )


class EventFeed:
    """The newest events, kept up to date while its context is open.

    Attributes:
        head: the position of the newest event that is known here.
        closed: whether readers should leave, because the server stops.
    """

    def __init__(self, database: Database, listener: Listener) -> None:
        """Read from `database` when `listener` tells of events."""
        self._database = database
        self._woken = asyncio.Event()
        self._advanced = asyncio.Event()
        self._events: list[FeedEvent] = []
        self._start = 0
        self._kept_from = 0
        self._shared: dict[tuple[Sight, int], bytes] = {}
        self._task: asyncio.Task[None] | None = None
        self.head = 0
        self.closed = False
        listener.on(CHANNEL, self._woken.set)

    async def __aenter__(self) -> Self:
        async with self._database.session() as session:
            self.head = self._kept_from = await service.last_position(session)
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @property
    def end(self) -> int:
        """The place behind the newest event; places count events from the start of the feed."""
        return self._start + len(self._events)

    def close(self) -> None:
        """Let all readers leave."""
        self.closed = True
        self.wake()

    def wake(self) -> None:
        """Let all readers look, though there is no event: for one, at what they may see now."""
        self._advanced.set()
        self._advanced = asyncio.Event()

    async def wait(self, place: int, seconds: float) -> bool:
        """Until there may be something behind `place`; `False` after so many seconds without."""
        if self.end > place or self.closed:
            return True
        try:
            async with asyncio.timeout(seconds):
                return await self._advanced.wait()
        except TimeoutError:
            return False

    async def catch_up(self, position: int) -> None:
        """Wait until what is committed up to `position` is known here.

        A reader may come from another server that was a moment ahead.
        """
        if position <= self.head:
            return
        async with self._database.session() as session:
            position = min(position, await service.last_position(session))
        self._woken.set()
        while self.head < position and not self.closed:
            await self.wait(self.end, LOOK_EVERY)

    def take(self, place: int, sight: Sight) -> bytes | None:
        """All that `sight` sees from `place` to the end, as bytes to send.

        Returns:
            `None` where events behind `place` are not kept any more.
        """
        if place < self._start:
            return None
        # Readers move together, so most of them want the very same bytes.
        shared = self._shared.get((sight, place))
        if shared is None:
            shared = select_blocks(self._events[place - self._start :], sight)
            self._shared[sight, place] = shared
        return shared

    def behind(self, position: int, until: int, limit: int) -> Sequence[FeedEvent] | None:
        """The first `limit` events behind `position`, up to and with `until`.

        Returns:
            `None` where not all of them are kept here any more, or were ever.
        """
        if position < self._kept_from:
            return None
        first = bisect_right(self._events, position, key=_position)
        last = bisect_right(self._events, until, lo=first, key=_position)
        return self._events[first : min(last, first + limit)]

    async def _follow(self) -> None:
        last = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._woken.wait()
            await asyncio.sleep(last + GATHER_SECONDS - time.monotonic())
            last = time.monotonic()
            self._woken.clear()
            try:
                await self._read()
            except DATABASE_ERRORS as error:
                reason = str(error).split("\n", 1)[0]
                log.warning("events cannot be read, they wait", error=reason)
                await asyncio.sleep(LOOK_EVERY)

    async def _read(self) -> None:
        while True:
            async with self._database.session() as session:
                events = await service.read_after(session, self.head, limit=READ_AT_ONCE)
            if events:
                self._add([encoded(event) for event in events])
            if len(events) < READ_AT_ONCE:
                return

    def _add(self, events: Sequence[FeedEvent]) -> None:
        self._shared.clear()
        self._events.extend(events)
        self.head = events[-1].position
        if len(self._events) >= 2 * KEPT:
            self._start += len(self._events) - KEPT
            self._kept_from = self._events[-KEPT - 1].position
            del self._events[:-KEPT]
        self.wake()


def _position(event: FeedEvent) -> int:
    return event.position


def select_blocks(events: Sequence[FeedEvent], sight: Sight) -> bytes:
    """What `sight` sees of `events`, as bytes to send."""
    return b"".join([event.block for event in events if sight.sees(event)])
