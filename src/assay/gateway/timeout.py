"""Gives up on an attempt that takes too long."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from assay.gateway.errors import ModelTimeout
from assay.gateway.types import Model, ModelRequest, ModelResponse, StreamPart


class TimedModel:
    """A model with a time limit for each attempt."""

    def __init__(self, inner: Model, seconds: float) -> None:
        """Take the limit in seconds."""
        self.name = inner.name
        self._inner = inner
        self._seconds = seconds

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece, within the limit."""
        timer = asyncio.timeout(self._seconds)
        try:
            async with timer:
                return await self._inner.complete(request)
        except TimeoutError:
            if not timer.expired():
                raise
            raise self._too_late("did not answer") from None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; the limit is for each piece, as a long answer may take long."""
        async with aclosing(self._inner.stream(request)) as parts:
            while True:
                timer = asyncio.timeout(self._seconds)
                try:
                    async with timer:
                        part = await anext(parts)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not timer.expired():
                        raise
                    raise self._too_late("sent nothing more") from None
                yield part

    def _too_late(self, fault: str) -> ModelTimeout:
        return ModelTimeout(f"{self.name} {fault} within {self._seconds:g} s")
