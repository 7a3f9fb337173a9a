"""Work on blocks of bytes in a thread of its own, between an async source and an async reader."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

Work = Callable[[Iterable[bytes]], Iterator[bytes]]
_Result = TypeVar("_Result")

# Blocks that are ready before somebody takes them, so that neither side waits for the other.
AHEAD = 4
# What comes in smaller pieces is gathered to so much: each hand-over costs a little.
GATHERED = 256 * 1024


class Stopped(Exception):
    """Nobody wants the rest."""


@asynccontextmanager
async def in_thread(
    source: AsyncIterator[bytes], work: Work
) -> AsyncIterator[AsyncIterator[bytes]]:
    """What `work` makes of the blocks of `source`, block by block, while the context is open.

    `work` is a plain generator and runs in a thread; the source is read, and what is made is
    handed on, in the event loop. What either raises comes out of the iterator. When the context
    ends before that, the work is stopped at the next block.
    """
    line = _Line(source)
    threads = ThreadPoolExecutor(1, thread_name_prefix="assay-blocks")
    working = asyncio.get_running_loop().run_in_executor(threads, line.run, work)
    working.add_done_callback(_note)
    try:
        yield line.made(working)
    finally:
        line.stop()
        threads.shutdown(wait=False)
        await asyncio.wait([working])


def _note(working: asyncio.Future[None]) -> None:
    # Where nobody comes to the end, nobody asks for the error.
    if not working.cancelled():
        working.exception()


class _Line:
    """What goes in and out of one thread."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._made: asyncio.Queue[bytes | None] = asyncio.Queue(AHEAD)
        self._task: asyncio.Task[Any] | None = None
        self._stopped = False

    async def made(self, working: asyncio.Future[None]) -> AsyncIterator[bytes]:
        while (block := await self._made.get()) is not None:
            yield block
        await working

    def stop(self) -> None:
        """Let the thread end at its next step; from the event loop."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def run(self, work: Work) -> None:
        """Work; in the thread."""
        try:
            for block in work(self._blocks()):
                self._ask(self._made.put(block))
        finally:
            with suppress(Stopped, CancelledError):
                self._ask(self._made.put(None))

    def _blocks(self) -> Iterator[bytes]:
        while block := self._ask(self._gather()):
            yield block

    async def _gather(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while size < GATHERED and (part := await anext(self._source, None)) is not None:
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def _ask(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of a coroutine in the event loop; from the thread."""
        return asyncio.run_coroutine_threadsafe(
            self._unless_stopped(coroutine), self._loop
        ).result()

    async def _unless_stopped(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        if self._stopped:
            coroutine.close()
            raise Stopped
        self._task = asyncio.current_task()
        return await coroutine
