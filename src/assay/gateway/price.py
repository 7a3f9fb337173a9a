"""Puts a price on each answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from importlib import import_module

from assay.gateway.types import Model, ModelRequest, ModelResponse, StreamPart, Usage

Rate = Callable[[Usage], float | None]
"""Gives the USD that a call with this usage costs; `None` where that is not known."""


class PricedModel:
    """A model whose answers carry their cost at list price.

    The price is that of the model by its name, wherever the base URL points.
    """

    def __init__(self, inner: Model, rate: Rate | None = None) -> None:
        """Take the price, or look it up by the model's name when the first answer is there."""
        self.name = inner.name
        self._inner = inner
        self._rate = rate

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        response = await self._inner.complete(request)
        rate = self._rate or await self._look_up()
        response.cost = rate(response.usage)
        return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; the last part carries the cost."""
        async with aclosing(self._inner.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, ModelResponse):
                    rate = self._rate or await self._look_up()
                    part.cost = rate(part.usage)
                yield part

    async def _look_up(self) -> Rate:
        self._rate = await look_up_rate(*self.name.split("/", 1))
        return self._rate


async def look_up_rate(provider: str, model: str) -> Rate:
    """The list price of a model by the names of its provider and itself."""
    # The table of prices takes most of a second to import: late, and off the event loop.
    rates = await asyncio.to_thread(import_module, "assay.gateway.rates")
    rate: Rate = rates.find_rate(provider, model)
    return rate
