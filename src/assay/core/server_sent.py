"""Answers of server-sent events (HTML standard, section 9.2), whatever they tell of."""

import asyncio
import contextlib
import socket
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from assay.core.database import DATABASE_ERRORS

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"
# A reader that takes nothing for so long is dropped.
PATIENCE_SECONDS = 10.0
RETRY_MILLISECONDS = 2000
# Little waits for one reader in the kernel, so that one that stopped is soon found out.
SEND_BUFFER_BYTES = 64 * 1024
TRANSPORT = "assay.transport"
"""Where a server that lets connections be cut puts the transport, under `extensions`."""

Tell = Callable[[bytes], Awaitable[None]]
"""Sends blocks of a stream to its reader, who is dropped if they do not take them."""


class ServerSentEvents(Response):
    """An answer that goes on until what it tells of ends, or the reader leaves."""

    media_type = "text/event-stream"

    def __init__(self) -> None:
        """Nothing on the way may keep what is sent."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    @abstractmethod
    async def tell_all(self, tell: Tell) -> None:
        """Tell the reader everything; the stream ends when this does.

        What the database raises cuts the reader off, who can come back.
        """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream (ASGI)."""
        transport = scope.get("extensions", {}).get(TRANSPORT)
        _keep_little_waiting(transport)
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        stream = asyncio.current_task()
        assert stream is not None
        watch = asyncio.create_task(_cancel_when_gone(receive, stream))

        async def tell(blocks: bytes) -> None:
            message: Message = {"type": "http.response.body", "body": blocks, "more_body": True}
            async with asyncio.timeout(PATIENCE_SECONDS):
                await send(message)

        try:
            await tell(b"retry: %d\n" % RETRY_MILLISECONDS)
            await self.tell_all(tell)
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
