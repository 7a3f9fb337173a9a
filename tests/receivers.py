"""Receivers on loopback that answer as they like, to the byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in; names of headers in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A receiver that listens; `answer` can be changed at any time."""

    port: int
    answer: Answer
    received: list[Received] = field(default_factory=list)
    open_connections: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"


def saying(content: bytes) -> Answer:
    """Send these bytes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return answer


def status(line: str, *headers: str, body: str = "") -> Answer:
    """Answer with a status, such as `429 Too Many Requests`, and headers."""
    head = "\r\n".join([f"HTTP/1.1 {line}", *headers, f"Content-Length: {len(body)}"])
    return saying(f"{head}\r\n\r\n{body}".encode())


def endless(first: bytes, then: bytes) -> Answer:
    """Send `then` for ever behind `first`."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(then)
            await writer.drain()

    return answer


async def hang(_writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection off."""
    writer.transport.abort()


@contextlib.asynccontextmanager
async def receiver(answer: Answer | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port, which takes everything with 200 until it is told otherwise."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there.open_connections += 1
        try:
            # Whoever asked may have hung up by then.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                there.received.append(await _read(reader))
                await there.answer(writer)
        finally:
            there.open_connections -= 1
            writer.close()

    handlers: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    there = Receiver(server.sockets[0].getsockname()[1], answer or saying(OK))
    try:
        yield there
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.strip().split("\r\n")
    pairs = (header.split(": ", 1) for header in rest)
    headers = {name.lower(): value for name, value in pairs}
    return Received(line, headers, await reader.readexactly(int(headers["content-length"])))
