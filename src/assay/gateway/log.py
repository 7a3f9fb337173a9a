"""Writes a line for each call: how it went, never what was said."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog

from assay.gateway.errors import ModelError
from assay.gateway.metrics import ModelMetrics
from assay.gateway.types import Model, ModelRequest, ModelResponse, StreamPart

# structlog goes through the standard library's loggers, whose check of the level is ten times
# cheaper than building a line that is then dropped.
_levels = logging.getLogger(__name__)


class LoggedModel:
    """A model whose calls are logged: answers at debug level, failures as warnings.

    Of an error only its code is written: providers quote prompts and keys in their messages.
    """

    def __init__(self, inner: Model) -> None:
        """Take the model."""
        self.name = inner.name
        self._inner = inner
        self._measured = ModelMetrics(inner.name)
        self._log = structlog.get_logger(__name__).bind(model=inner.name)

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        try:
            response = await self._inner.complete(request)
        except ModelError as error:
            self._failed(error)
            raise
        self._answered(response)
        return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece."""
        try:
            async with aclosing(self._inner.stream(request)) as parts:
                async for part in parts:
                    if isinstance(part, ModelResponse):
                        self._answered(part)
                    yield part
        except ModelError as error:
            self._failed(error)
            raise

    def _answered(self, response: ModelResponse) -> None:
        self._measured.answered(response)
        if not _levels.isEnabledFor(logging.DEBUG):
            return
        self._log.debug(
            "model answered",
            tokens_in=response.usage.tokens_in,
            tokens_out=response.usage.tokens_out,
            latency_ms=round(response.latency_ms, 1),
            attempts=response.attempts,
            cost=response.cost,
        )

    def _failed(self, error: ModelError) -> None:
        self._measured.failed(error)
        self._log.warning("model failed", error=error.code, attempts=error.attempts)
