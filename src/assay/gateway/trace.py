"""Makes a span of each model call, by OpenTelemetry's conventions for generative AI.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from assay.core.telemetry import tracer
from assay.gateway.errors import ModelError
from assay.gateway.providers.catalog import split
from assay.gateway.types import Model, ModelRequest, ModelResponse, StreamPart


class TracedModel:
    """A model whose calls are spans; what is asked and answered is not in them."""

    def __init__(self, inner: Model, operation: str = "chat") -> None:
        """Take the model and what it does: `chat` or `embeddings`."""
        self.name = inner.name
        self._inner = inner
        provider, model = split(inner.name)
        self._span_name = f"{operation} {inner.name}"
        self._attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
        }

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        with tracer.start_as_current_span(
            self._span_name,
            kind=SpanKind.CLIENT,
            attributes=self._attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                response = await self._inner.complete(request)
            except ModelError as error:
                _failed(span, error)
                raise
            _answered(span, response)
            return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece."""
        # Not the current span: a generator goes on in whatever context asks it for more.
        span = tracer.start_span(self._span_name, kind=SpanKind.CLIENT, attributes=self._attributes)
        try:
            async with aclosing(self._inner.stream(request)) as parts:
                async for part in parts:
                    if isinstance(part, ModelResponse):
                        _answered(span, part)
                    yield part
        except ModelError as error:
            _failed(span, error)
            raise
        finally:
            span.end()


def _answered(span: Span, response: ModelResponse) -> None:
    span.set_attribute("gen_ai.usage.input_tokens", response.usage.tokens_in)
    span.set_attribute("gen_ai.usage.output_tokens", response.usage.tokens_out)
    if response.finish_reason is not None:
        span.set_attribute("gen_ai.response.finish_reasons", [response.finish_reason])


def _failed(span: Span, error: ModelError) -> None:
    # Only the code: providers quote prompts and keys in their messages.
    span.set_attribute("error.type", error.code)
    span.set_status(Status(StatusCode.ERROR, error.code))
