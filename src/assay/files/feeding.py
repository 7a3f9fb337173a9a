"""Hand bytes from the task that receives them to the one that stores them."""

import asyncio
from collections.abc import AsyncIterator

CHUNKS_WAITING = 4


class TakerGone(Exception):
    """Whoever takes the bytes has stopped; its own error says why."""


class Feed:
    """A short queue of chunks: who gives waits for who takes, and can break off."""

    def __init__(self) -> None:
        """Nothing was given yet."""
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(CHUNKS_WAITING)
        self._closed = False

    async def give(self, chunk: bytes | None) -> None:
        """Hand on some bytes, or `None` at their end.

        Raises:
            TakerGone
        """
        if not self._closed:
            await self._queue.put(chunk)
        if self._closed and chunk is not None:
            raise TakerGone

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come; fails where the giver broke off."""
        while (chunk := await self._queue.get()) is not None:
            if isinstance(chunk, BaseException):
                raise RuntimeError("the upload was broken off") from chunk
            yield chunk

    def break_off(self, reason: BaseException) -> None:
        """Make the taker fail, in place of all that it has not taken yet."""
        self._empty()
        self._queue.put_nowait(reason)

    def close(self, _taker: object = None) -> None:
        """Nobody takes any more: who gives need not wait."""
        self._closed = True
        self._empty()

    def _empty(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
