"""What is done in one way with an event loop, and in another one with threads."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterator
from concurrent.futures import Future
from typing import Any, BinaryIO, Generic, TypeVar

log = logging.getLogger("assay.client")
T = TypeVar("T")

BLOCK_BYTES = 256 * 1024


async def async_pause(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


async def async_blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    """The rest of a file in blocks; it is read in a thread."""
    while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
        yield block


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file in blocks."""
    while block := file.read(BLOCK_BYTES):
        yield block


async def async_write(file: BinaryIO, block: bytes) -> None:
    """Write a block; in a thread."""
    await asyncio.to_thread(file.write, block)


def write(file: BinaryIO, block: bytes) -> None:
    """Write a block."""
    file.write(block)


class AsyncFlights(Generic[T]):
    """Work of which there is one at a time for each key; who wants it meanwhile gets the same."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    async def run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the work that is under way for `key`, or of this."""
        # Others wait for it as well: it goes on where one of them is cancelled.
        return await asyncio.shield(self._task(key, work))

    def begin(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Do the work in the background, where none is under way for `key`."""
        self._task(key, work)

    async def aclose(self) -> None:
        """Cancel what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _task(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda ended: self._ended(key, ended))
        return task

    def _ended(self, key: Hashable, task: asyncio.Task[T]) -> None:
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()):
            log.debug("work for %s ended with %r", key, error)


class Flights(Generic[T]):
    """Work of which there is one at a time for each key; who wants it meanwhile gets the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[Hashable, Future[T]] = {}

    def run(self, key: Hashable, work: Callable[[], T]) -> T:
        """The result of the work that is under way for `key`, or of this."""
        result, ours = self._result(key)
        if ours:
            self._do(key, work, result)
        return result.result()

    def begin(self, key: Hashable, work: Callable[[], T]) -> None:
        """Do the work in the background, where none is under way for `key`."""
        result, ours = self._result(key)
        if ours:
            threading.Thread(
                target=self._do, args=(key, work, result), name="assay-client", daemon=True
            ).start()

    def close(self) -> None:
        """Nothing: a thread cannot be cancelled, and ends when its connection is closed."""

    def _result(self, key: Hashable) -> tuple[Future[T], bool]:
        with self._lock:
            found = self._results.get(key)
            if found is not None:
                return found, False
            made = self._results[key] = Future()
            return made, True

    def _do(self, key: Hashable, work: Callable[[], T], result: "Future[T]") -> None:
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001  # whoever waits for it gets it
            self._remove(key)
            log.debug("work for %s ended with %r", key, error)
            result.set_exception(error)
        else:
            self._remove(key)
            result.set_result(value)

    def _remove(self, key: Hashable) -> None:
        with self._lock:
            del self._results[key]
