"""Reads the feed with hundreds of connections; a process of `event_feed.py`.

It takes its orders as JSON on standard input, tells with a line on standard output when all are
connected, reads until a line comes on standard input, and then gives what each client got. While
events come it only keeps the bytes with the moment that they came; they are read at the end, so
that the clients cost little.
"""

import asyncio
import re
import socket
import sys
import time
from typing import Any, cast

import orjson
import uvloop

HOST = "127.0.0.1"
RECEIVE_BYTES = 4096
"""What the kernel keeps for a client that stops reading, so that it is soon full."""
AWAY_SECONDS = 2.0
CONNECTED_AT_ONCE = 20
CONNECT_SECONDS = 60.0
_OPENING = re.compile(rb"^retry: \d+\n(?:id: (\d+)\n)?\n", re.MULTILINE)
_EVENT = re.compile(rb"^id: (\d+)\ndata: ", re.MULTILINE)


class Stream(asyncio.Protocol):
    """One connection to the feed, and what came on it."""

    def __init__(self, request: bytes) -> None:
        """Ask `request`."""
        self._request = request
        self._pieces: list[tuple[float, bytes]] = []
        self._transport: asyncio.Transport | None = None
        self.opened = asyncio.Event()
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """A part of the stream is there."""
        self._pieces.append((time.monotonic(), data))
        if not self.opened.is_set() and b"retry: " in data:
            self.opened.set()

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection has ended, by either side."""
        self.opened.set()
        self.ended.set()

    def read_no_more(self) -> None:
        """Leave what comes where it is."""
        assert self._transport is not None
        self._transport.pause_reading()

    def close(self) -> None:
        """Leave."""
        assert self._transport is not None
        self._transport.abort()

    def events(self) -> tuple[int, list[tuple[int, float]]]:
        """The position that it began behind, and the position and moment of each event.

        Raises:
            RuntimeError: the answer is not a stream of events.
        """
        moments, body = _dechunked(self._pieces)
        opening = _OPENING.search(body)
        if opening is None:
            raise RuntimeError(f"this is no stream of events: {body[:500]!r}")
        came, piece = [], 0
        for event in _EVENT.finditer(body):
            end = body.find(b"\n\n", event.end())
            if end < 0:
                break
            while moments[piece][0] < end + 2:
                piece += 1
            came.append((int(event[1]), moments[piece][1]))
        return int(opening[1] or 0), came


def _dechunked(pieces: list[tuple[float, bytes]]) -> tuple[list[tuple[int, float]], bytes]:
    """The body (RFC 9112, 7.1), and how much of it had come at which moments."""
    raw = b"".join(piece for _, piece in pieces)
    parts, sizes = [], []
    at = raw.find(b"\r\n\r\n") + 4
    if at < 4 or not raw.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"this is no stream of events: {raw[:500]!r}")
    length = 0
    while (line := raw.find(b"\r\n", at)) >= 0 and (size := int(raw[at:line], 16)):
        part = raw[line + 2 : line + 2 + size]
        parts.append(part)
        length += len(part)
        # So much of the body is there once so much of the stream is.
        sizes.append((line + 2 + len(part), length))
        at = line + 2 + size + 2
    moments, total, number = [], 0, 0
    for moment, piece in pieces:
        total += len(piece)
        while number < len(sizes) and sizes[number][0] <= total:
            number += 1
        if number:
            moments.append((sizes[number - 1][1], moment))
    return moments, b"".join(parts)


class Client:
    """A reader of one kind: `steady`, `returning` (comes back once), or `stalled`."""

    def __init__(self, orders: dict[str, Any]) -> None:
        """Do as ordered: `path`, `key`, `kind`, and the `ports` for the first and second time."""
        self._orders = orders
        self.kind = orders["kind"]
        self._streams: list[Stream] = []

    async def connect(self, last_event_id: int | None = None) -> None:
        """Open the stream, and wait for its beginning."""
        orders, port = self._orders, self._orders["ports"][len(self._streams)]
        lines = [f"GET {orders['path']} HTTP/1.1", f"Host: {HOST}:{port}"]
        lines.append(f"Authorization: Bearer {orders['key']}")
        if last_event_id is not None:
            lines.append(f"Last-Event-ID: {last_event_id}")
        stream = Stream("\r\n".join([*lines, "", ""]).encode())
        connection = socket.socket()
        connection.setblocking(False)
        if self.kind == "stalled":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (HOST, port))
        await loop.create_connection(lambda: stream, sock=connection)
        self._streams.append(stream)
        await stream.opened.wait()

    async def live(self, seconds: float) -> None:
        """Do what its kind does after so many seconds."""
        stream = self._streams[0]
        if self.kind == "stalled":
            await asyncio.sleep(seconds / 2)
            stream.read_no_more()
        elif self.kind == "returning":
            await asyncio.sleep(seconds)
            stream.close()
            began, came = stream.events()
            await asyncio.sleep(AWAY_SECONDS)
            await self.connect(came[-1][0] if came else began)

    def report(self) -> dict[str, Any]:
        """What it got, as lists of a number for each event."""
        began, events = self._streams[0].events()
        for stream in self._streams[1:]:
            events += stream.events()[1]
        return {
            "began": began,
            "positions": [position for position, _ in events],
            "moments": [moment for _, moment in events],
            "ended": self._streams[-1].ended.is_set(),
        }


async def read_all(orders: list[dict[str, Any]], leave_after: float) -> list[dict[str, Any]]:
    """Connect, tell, read until told, and report."""
    clients = [Client(order) for order in orders]
    async with asyncio.timeout(CONNECT_SECONDS):
        for start in range(0, len(clients), CONNECTED_AT_ONCE):
            some = clients[start : start + CONNECTED_AT_ONCE]
            await asyncio.gather(*(client.connect() for client in some))
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    lives = asyncio.gather(*(client.live(leave_after) for client in clients))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.readline)
    await lives
    return [client.report() for client in clients]


def main() -> None:
    """Do as ordered."""
    orders = orjson.loads(sys.stdin.buffer.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        reports = runner.run(read_all(orders["clients"], orders["leave_after"]))
    sys.stdout.buffer.write(orjson.dumps(reports))


if __name__ == "__main__":
    main()
