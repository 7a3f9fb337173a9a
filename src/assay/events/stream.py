"""One reader's stream of events (server-sent events, HTML standard section 9.2)."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

import orjson
import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from assay.core.database import DATABASE_ERRORS, Database
from assay.events import service
from assay.events.feed import EventFeed, FeedEvent, Sight, encoded, select_blocks

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
# A reader that takes nothing for so long is dropped.
PATIENCE_SECONDS = 10.0
RETRY_MILLISECONDS = 2000
REPLAY_AT_ONCE = 1000
# Little waits for one reader in the kernel, so that one that stopped is soon found out.
SEND_BUFFER_BYTES = 64 * 1024
TRANSPORT = "assay.transport"
"""Where a server that lets connections be cut puts the transport, under `extensions`."""


class Reader(Protocol):
    """Somebody who reads the feed; what they may see can change while they read."""

    @property
    def stale(self) -> bool:
        """Whether what is known of their rights may be out of date."""
        ...

    def sight(self) -> Awaitable[Sight | None]:
        """What they may see now; `None` where they may not read any more."""
        ...


class EventStream(Response):
    """The answer to a reader: what they missed, then what happens, until one of both leaves."""

    media_type = "text/event-stream"

    def __init__(
        self, feed: EventFeed, database: Database, reader: Reader, after: int | None
    ) -> None:
        """Begin behind position `after`, or with what happens from now on."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._database = database
        self._reader = reader
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream (ASGI)."""
        transport = scope.get("extensions", {}).get(TRANSPORT)
        _keep_little_waiting(transport)
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        stream = asyncio.current_task()
        assert stream is not None
        watch = asyncio.create_task(_cancel_when_gone(receive, stream))
        try:
            await self._send_all(send)
            await send({"type": "http.response.body", "body": b""})
        except DATABASE_ERRORS as error:
            # The reader is too slow, or the database cannot say what they may see; they can come
            # back. Closing would wait for them to take what is still to be sent.
            reason = str(error).split("\n", 1)[0] or "the reader does not read"
            log.info("stream of events cut off", reason=reason)
            watch.cancel()
            if transport is not None:
                transport.abort()
                # Uvicorn takes an answer without an end for a mistake while it is connected.
                await _until_gone(receive)
        except asyncio.CancelledError:
            if not watch.done():
                raise
            stream.uncancel()
        finally:
            watch.cancel()

    async def _send_all(self, send: Send) -> None:
        if self._after is not None:
            await self._feed.catch_up(self._after)
        place, head = self._feed.end, self._feed.head
        if self._after is None:
            opening = b"retry: %d\nid: %d\n\n" % (RETRY_MILLISECONDS, head)
        else:
            opening = b"retry: %d\n\n" % RETRY_MILLISECONDS
        await _send_in_time(send, opening)
        sight = await self._reader.sight()
        if self._after is not None and sight is not None:
            await self._replay(send, sight, self._after, head)
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
                await _send_in_time(send, blocks)
            elif not await self._feed.wait(place, HEARTBEAT_SECONDS):
                await _send_in_time(send, b":\n\n")

    async def _replay(self, send: Send, sight: Sight, after: int, head: int) -> None:
        async with self._database.session() as session:
            first = await service.first_position(session)
        if after > head or after < (first or 1) - 1:
            await _send_in_time(send, _lost_block(head))
            return
        while after < head and (missed := await self._missed(after, head)):
            if blocks := select_blocks(missed, sight):
                await _send_in_time(send, blocks)
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


async def _send_in_time(send: Send, body: bytes) -> None:
    message: Message = {"type": "http.response.body", "body": body, "more_body": True}
    async with asyncio.timeout(PATIENCE_SECONDS):
        await send(message)


def _keep_little_waiting(transport: Any) -> None:
    if transport is None:
        return
    transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


async def _cancel_when_gone(receive: Receive, stream: asyncio.Task[Any]) -> None:
    await _until_gone(receive)
    stream.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
