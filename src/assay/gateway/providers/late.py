"""A native model whose adapter is loaded when it is first asked."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from importlib import import_module

from assay.gateway.providers.catalog import Provider
from assay.gateway.types import Model, ModelRequest, ModelResponse, StreamPart


class LateModel:
    """Stands in for a model of `assay.gateway.providers.native` until that is imported."""

    def __init__(self, provider: Provider, model: str, closing: AsyncExitStack) -> None:
        """Take whom to ask, the name behind the slash, and who closes what it opens."""
        self.name = f"{provider.name}/{model}"
        self._provider = provider
        self._model = model
        self._closing = closing
        self._loading = asyncio.Lock()
        self._loaded: Model | None = None

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        model = self._loaded or await self._load()
        return await model.complete(request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece."""
        model = self._loaded or await self._load()
        async with aclosing(model.stream(request)) as parts:
            async for part in parts:
                yield part

    async def _load(self) -> Model:
        async with self._loading:
            if self._loaded is None:
                # pydantic-ai and the SDKs behind it take seconds to import. Most processes never
                # need them, and those that do must not stop answering meanwhile.
                native = await asyncio.to_thread(import_module, "assay.gateway.providers.native")
                self._loaded = await native.open_model(self._provider, self._model, self._closing)
            loaded: Model = self._loaded
            return loaded
