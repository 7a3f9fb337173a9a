"""The adapter for everything that speaks the OpenAI chat protocol.

The protocol: `POST {base_url}/chat/completions`, and server-sent events when streamed.
Messages, content parts (images, audio) and parameters go out as they come in.
"""

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson
from aiohttp.http import HttpProcessingError

from assay.gateway.errors import (
    MalformedResponse,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    RequestRefused,
)
from assay.gateway.providers.catalog import Provider
from assay.gateway.providers.endpoint import CONNECT_SECONDS, Endpoint
from assay.gateway.providers.refusals import refusal
from assay.gateway.types import ModelRequest, ModelResponse, StreamPart, TextDelta, Usage

Json = dict[str, Any]
_DONE = b"[DONE]"
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


class OpenAIChatModel:
    """One model behind an endpoint that speaks the OpenAI chat protocol."""

    def __init__(self, provider: Provider, model: str, session: aiohttp.ClientSession) -> None:
        """Take where and whom to ask, and the session, which stays the caller's."""
        if provider.base_url is None:
            raise ValueError(f"provider {provider.name} has no base URL")
        self.name = f"{provider.name}/{model}"
        self._model = model
        self._key = provider.api_key
        self._address = provider.base_url
        headers = {"User-Agent": "assay", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        self._endpoint = Endpoint(session, provider.base_url / "chat/completions", headers)

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        body = self._encode(request, {})
        started = time.perf_counter()
        try:
            status, headers, answer = await self._endpoint.post(body)
        except (aiohttp.ClientError, TimeoutError, HttpProcessingError) as error:
            raise self._broken(error) from error
        latency_ms = (time.perf_counter() - started) * 1000.0
        if status != 200:
            raise self._refused(status, answer, headers)
        return self._decode(request, answer, latency_ms)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; the last part is the whole answer."""
        body = self._encode(request, _STREAMED)
        text: list[str] = []
        answer = ModelResponse("", Usage(), 0.0)
        started = time.perf_counter()
        try:
            async with self._endpoint.open(body) as response:
                if response.status != 200:
                    raise self._refused(response.status, await response.read(), response.headers)
                async for event in _events(response.content):
                    if event == _DONE:
                        answer.finish_reason = answer.finish_reason or "stop"
                        break
                    piece = self._take(event, answer)
                    if piece:
                        if not text:
                            answer.first_token_ms = (time.perf_counter() - started) * 1000.0
                        text.append(piece)
                        yield TextDelta(piece)
        except (aiohttp.ClientError, TimeoutError, HttpProcessingError) as error:
            raise self._broken(error) from error
        if answer.finish_reason is None:
            raise ModelUnavailable(f"{self.name} broke its answer off")
        answer.text = "".join(text)
        answer.latency_ms = (time.perf_counter() - started) * 1000.0
        if request.output_schema is not None:
            answer.parse()
        yield answer

    def _encode(self, request: ModelRequest, options: Mapping[str, Any]) -> bytes:
        body = {**request.parameters, **options}
        body["model"] = self._model
        body["messages"] = request.messages
        if request.output_schema is not None:
            body["response_format"] = _response_format(request.output_schema)
        try:
            return orjson.dumps(body)
        except TypeError as error:
            raise RequestRefused(f"this request to {self.name} is not JSON: {error}") from error

    def _decode(self, request: ModelRequest, answer: bytes, latency_ms: float) -> ModelResponse:
        try:
            body = orjson.loads(answer)
            if "error" in body and "choices" not in body:
                raise self._error_in(body["error"])
            choice = body["choices"][0]
            response = ModelResponse(
                _text(choice["message"]),
                _usage(body.get("usage")),
                latency_ms,
                finish_reason=choice.get("finish_reason"),
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._malformed(answer) from error
        if request.output_schema is not None:
            response.parse()
        return response

    def _take(self, data: bytes, answer: ModelResponse) -> str:
        """Put what one event of a stream says into `answer`; gives its piece of the text."""
        try:
            event = orjson.loads(data)
            if event.get("error"):
                raise self._error_in(event["error"])
            if event.get("usage"):
                answer.usage = _usage(event["usage"])
            if not event["choices"]:
                return ""
            choice = event["choices"][0]
            answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
            return _text(choice["delta"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._malformed(data) from error

    def _error_in(self, error: Json) -> ModelError:
        """The error that came with status 200, as some routers send it."""
        code = error.get("code")
        status = code if isinstance(code, int) and code >= 400 else 502
        return refusal(self.name, status, str(error.get("message", "")), secret=self._key)

    def _refused(self, status: int, answer: bytes, headers: Mapping[str, str]) -> ModelError:
        message, code = answer.decode("utf-8", "replace"), None
        try:
            error = orjson.loads(answer)["error"]
            message, code = error["message"], error.get("code")
        except (ValueError, LookupError, TypeError, AttributeError):
            pass  # not every server writes its errors as OpenAI does; then its body is the message
        return refusal(
            self.name, status, str(message), code=code, headers=headers, secret=self._key
        )

    def _broken(self, error: Exception) -> ModelError:
        if isinstance(error, aiohttp.ClientConnectorError):
            return ModelUnavailable(
                f"{self.name} cannot be reached at {self._address}: "
                f"{error.strerror or error}; is the server running?"
            )
        if isinstance(error, TimeoutError):
            return ModelTimeout(
                f"{self.name} could not be connected to within {CONNECT_SECONDS:g} s"
            )
        if isinstance(error, HttpProcessingError | aiohttp.ClientResponseError):
            return MalformedResponse(f"{self.name} answered something that is not HTTP")
        return ModelUnavailable(f"{self.name} broke the connection ({type(error).__name__})")

    def _malformed(self, answer: bytes) -> MalformedResponse:
        return MalformedResponse(
            f"{self.name} answered 200 with {len(answer)} bytes that are not a chat completion"
        )


def _text(message: Json) -> str:
    """The text of an answer; some servers give it in parts, and a refusal in its own field."""
    content = message.get("content")
    if content is None:
        content = message.get("refusal") or ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _usage(usage: Json | None) -> Usage:
    if not usage:
        return Usage()
    details = usage.get("prompt_tokens_details")
    return Usage(
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        (details.get("cached_tokens") or 0) if details else 0,
    )


def _response_format(schema: Mapping[str, Any]) -> Json:
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(schema.get("title", "answer")))[:64]
    json_schema = {"name": name, "schema": schema, "strict": _is_closed(schema)}
    return {"type": "json_schema", "json_schema": json_schema}


def _is_closed(schema: object) -> bool:
    """Whether OpenAI's strict mode takes the schema: objects name all keys and require them."""
    if isinstance(schema, list):
        return all(map(_is_closed, schema))
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        keys = set(properties or ())
        if schema.get("additionalProperties") is not False or keys != set(
            schema.get("required", ())
        ):
            return False
    return all(map(_is_closed, schema.values()))


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The data of each server-sent event; `[DONE]` is the last of an unbroken stream."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
