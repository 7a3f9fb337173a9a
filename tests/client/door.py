"""A way to a server that can be shut, and that counts what goes through it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_REQUEST = re.compile(rb"^(?:GET|POST|PUT|DELETE) (\S+) HTTP", re.MULTILINE)


class Door:
    """Passes on what comes to `url`, as long as it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._inner = (host, port)
        self._port = 0
        self._listener: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def open(self) -> None:
        self._listener = await asyncio.start_server(self._pass, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Nobody gets in any more, and who is inside is thrown out."""
        assert self._listener
        self._listener.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._listener.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        inner_reader, inner_writer = await asyncio.open_connection(*self._inner)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, inner_writer, count=True))
                group.create_task(self._copy(inner_reader, writer, count=False))
        finally:
            for each in (writer, inner_writer):
                each.close()
                with suppress(ConnectionError, asyncio.CancelledError):
                    await each.wait_closed()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool
    ) -> None:
        with suppress(ConnectionError):
            while block := await reader.read(65536):
                if count:
                    self.asked += [path.decode() for path in _REQUEST.findall(block)]
                writer.write(block)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def door_to(url: str) -> AsyncIterator[Door]:
    """An open door to the server at `url`."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    door = Door(host, int(port))
    await door.open()
    try:
        yield door
    finally:
        await door.shut()
