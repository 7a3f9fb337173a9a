"""The adapter for providers with protocols of their own, through pydantic-ai's direct requests.

Importing pydantic-ai takes seconds: only `late.py` imports this module, when it is needed.
"""

import inspect
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from pydantic_ai import exceptions as theirs
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelResponse as NativeResponse
from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models import Model as PydanticModel
from pydantic_ai.models import ModelRequestParameters, infer_model
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.providers import Provider as PydanticProvider
from pydantic_ai.providers import infer_provider_class
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from assay.gateway.errors import (
    MalformedResponse,
    MissingKey,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    RequestRefused,
    UnknownProvider,
)
from assay.gateway.providers.catalog import Provider
from assay.gateway.providers.native_messages import (
    native_messages,
    native_settings,
    stored_answer,
)
from assay.gateway.providers.refusals import refusal
from assay.gateway.types import (
    ModelRequest,
    ModelResponse,
    StreamPart,
    TextDelta,
    Tool,
    ToolCall,
    Usage,
)


async def open_model(provider: Provider, model: str, closing: AsyncExitStack) -> "NativeModel":
    """Make a model of a provider that pydantic-ai knows.

    Args:
        provider: whom to ask.
        model: the name behind the slash.
        closing: takes what has to be closed in the end.

    Raises:
        UnknownProvider: a package that this provider needs is not installed.
        MissingKey: the provider finds no credentials.
    """
    try:
        maker = infer_provider_class(provider.name)
        native = maker(**_arguments(maker, provider))
        found = infer_model(f"{provider.name}:{model}", provider_factory=lambda _: native)
    except ImportError as error:
        raise UnknownProvider(f"provider {provider.name} is not installed: {error}") from error
    except theirs.UserError as error:
        raise MissingKey(f"provider {provider.name} cannot be used: {error}") from error
    await closing.enter_async_context(native)
    return NativeModel(f"{provider.name}/{model}", found, secret=provider.api_key)


class NativeModel:
    """One model behind pydantic-ai."""

    def __init__(self, name: str, model: PydanticModel, *, secret: str | None = None) -> None:
        """Take `provider/model`, their model, and the key, which is kept out of messages."""
        self.name = name
        self._model = model
        self._secret = secret

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        messages = native_messages(request.messages)
        started = time.perf_counter()
        with self._errors():
            response = await model_request(
                self._model,
                messages,
                model_settings=native_settings(self.name, request.parameters),
                model_request_parameters=self._asked(request),
            )
        return _response(request, response, response.usage, started)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; the last part is the whole answer."""
        messages = native_messages(request.messages)
        started = time.perf_counter()
        first_token_ms = None
        with self._errors():
            async with model_request_stream(
                self._model,
                messages,
                model_settings=native_settings(self.name, request.parameters),
                model_request_parameters=self._asked(request),
            ) as events:
                async for event in events:
                    piece = _piece(event)
                    if piece:
                        if first_token_ms is None:
                            first_token_ms = (time.perf_counter() - started) * 1000.0
                        yield TextDelta(piece)
                response = events.get()
        answer = _response(request, response, response.usage, started)
        answer.first_token_ms = first_token_ms
        yield answer

    def _asked(self, request: ModelRequest) -> ModelRequestParameters:
        tools = [_definition(tool) for tool in request.tools]
        schema = request.output_schema
        if schema is None:
            return ModelRequestParameters(function_tools=tools)
        able = self._model.profile.get("supports_json_schema_output", False)
        return ModelRequestParameters(
            function_tools=tools,
            output_mode="native" if able else "prompted",
            output_object=OutputObjectDefinition(dict(schema), name=schema.get("title")),
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (theirs.AgentRunError, theirs.UserError) as error:
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> ModelError:
        if isinstance(error, theirs.ModelHTTPError):
            return self._refused(error)
        words = f"{self.name}: {error}"
        if self._secret:
            words = words.replace(self._secret, "[key]")
        match error:
            case theirs.ModelTimeoutError() | theirs.ModelRequestTimeout():
                return ModelTimeout(words)
            case theirs.ModelRateLimitError():
                return RateLimited(words, retry_after=error.retry_after)
            case (
                theirs.ModelConnectionError()
                | theirs.ModelServerError()
                | theirs.ModelUnavailableError()
            ):
                return ModelUnavailable(words, retry_after=error.retry_after)
            case theirs.ContentFilterError() | theirs.ModelAPIError() | theirs.UserError():
                return RequestRefused(words)
            case _:
                return MalformedResponse(words)

    def _refused(self, error: theirs.ModelHTTPError) -> ModelError:
        spent = isinstance(error, theirs.ModelQuotaExceededError)
        ours = refusal(
            self.name,
            error.status_code,
            _words(error.body),
            code="insufficient_quota" if spent else None,
            secret=self._secret,
        )
        ours.retry_after = error.retry_after
        return ours


def _arguments(maker: type[PydanticProvider[Any]], provider: Provider) -> dict[str, str]:
    """The key and the base URL that are set, as far as this provider's maker takes them."""
    given = {"api_key": provider.api_key, "base_url": provider.base_url and str(provider.base_url)}
    takes = inspect.signature(maker).parameters
    return {name: value for name, value in given.items() if value and name in takes}


def _response(
    request: ModelRequest, native: NativeResponse, usage: RequestUsage, started: float
) -> ModelResponse:
    response = ModelResponse(
        native.text or "",
        Usage(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens),
        (time.perf_counter() - started) * 1000.0,
        finish_reason=native.finish_reason,
    )
    if request.tools:
        response.tool_calls = [
            ToolCall(call.tool_call_id, call.tool_name, call.args_as_json_str())
            for call in native.tool_calls
        ]
        response.native = stored_answer(native)
    if request.output_schema is not None:
        response.parse()
    return response


def _definition(tool: Tool) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=dict(tool.parameters),
    )


def _piece(event: object) -> str:
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def _words(body: object) -> str:
    """The provider's own words in the body of an error."""
    if isinstance(body, Mapping):
        error = body.get("error", body)
        return str(error.get("message", error) if isinstance(error, Mapping) else error)
    return str(body or "")
