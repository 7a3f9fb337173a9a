"""Asks a model only when its provider's pace allows."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from assay.gateway.errors import ModelError
from assay.gateway.provider_pace import ProviderPace
from assay.gateway.slots import Slots
from assay.gateway.types import Model, ModelRequest, ModelResponse, StreamPart


class PacedModel:
    """A model that is asked when the caller's own slots and the provider's pace allow.

    The caller's slot is taken first: calls that wait for it then hold no slot of the provider,
    which others with room of their own could use.
    """

    def __init__(self, inner: Model, pace: ProviderPace, slots: Slots | None = None) -> None:
        """Take the pace of the provider, and the slots of the caller if it has a limit."""
        self.name = inner.name
        self._inner = inner
        self._pace = pace
        self._slots = slots

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        slots = self._slots
        if slots is None:
            return await self._complete(request)
        if not slots.try_acquire():
            await slots.acquire()
        try:
            return await self._complete(request)
        finally:
            slots.release()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; the slots are held to the end."""
        slots = self._slots
        if slots is not None:
            await slots.acquire()
        try:
            async with aclosing(self._stream(request)) as parts:
                async for part in parts:
                    yield part
        finally:
            if slots is not None:
                slots.release()

    async def _complete(self, request: ModelRequest) -> ModelResponse:
        pace = self._pace
        tokens = await pace.enter(request)
        try:
            response = await self._inner.complete(request)
        except ModelError as error:
            pace.failed(error)
            raise
        finally:
            pace.slots.release()
        pace.succeeded(response, tokens)
        return response

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        pace = self._pace
        tokens = await pace.enter(request)
        try:
            async with aclosing(self._inner.stream(request)) as parts:
                async for part in parts:
                    if isinstance(part, ModelResponse):
                        pace.succeeded(part, tokens)
                    yield part
        except ModelError as error:
            pace.failed(error)
            raise
        finally:
            pace.slots.release()
