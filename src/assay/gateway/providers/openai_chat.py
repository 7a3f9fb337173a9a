"""The adapter for everything that speaks the OpenAI chat protocol.

The protocol: `POST {base_url}/chat/completions`, and server-sent events when streamed.
Messages, content parts (images, audio), calls of tools and parameters go out as they come in.
"""

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson

from assay.gateway.errors import ModelUnavailable, RequestRefused
from assay.gateway.providers.openai_endpoint import CONNECTION_FAULTS, OpenAIModel
from assay.gateway.providers.openai_tools import CallPieces, calls_in, tools_body
from assay.gateway.types import ModelRequest, ModelResponse, StreamPart, TextDelta, Usage

Json = dict[str, Any]
_DONE = b"[DONE]"
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


class OpenAIChatModel(OpenAIModel):
    """One model behind an endpoint that speaks the OpenAI chat protocol."""

    _path = "chat/completions"
    _answer = "a chat completion"

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        body = self._encode(request, {})
        started = time.perf_counter()
        answer = await self._post(body)
        return self._decode(request, answer, (time.perf_counter() - started) * 1000.0)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; the last part is the whole answer."""
        body = self._encode(request, _STREAMED)
        text: list[str] = []
        calls = CallPieces()
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
                    piece = self._take(event, answer, calls)
                    if piece:
                        if not text:
                            answer.first_token_ms = (time.perf_counter() - started) * 1000.0
                        text.append(piece)
                        yield TextDelta(piece)
        except CONNECTION_FAULTS as error:
            raise self._broken(error) from error
        if answer.finish_reason is None:
            raise ModelUnavailable(f"{self.name} broke its answer off")
        answer.text = "".join(text)
        answer.tool_calls = calls.whole()
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
        if request.tools:
            body["tools"] = tools_body(request.tools)
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
                logprobs=_logprobs(choice.get("logprobs")),
            )
            if calls := choice["message"].get("tool_calls"):
                response.tool_calls = calls_in(calls)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._malformed(answer) from error
        if request.output_schema is not None:
            response.parse()
        return response

    def _take(self, data: bytes, answer: ModelResponse, calls: CallPieces) -> str:
        """Put what one event says into `answer` and `calls`; gives its piece of the text."""
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
            if pieces := choice["delta"].get("tool_calls"):
                calls.add(pieces)
            return _text(choice["delta"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._malformed(data) from error


def _text(message: Json) -> str:
    """The text of an answer; some servers give it in parts, and a refusal in its own field."""
    content = message.get("content")
    if content is None:
        content = message.get("refusal") or ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _logprobs(logprobs: Json | None) -> list[float] | None:
    """One for each token; a server that uses the field otherwise gives none."""
    try:
        return [float(token["logprob"]) for token in logprobs["content"]] if logprobs else None
    except (LookupError, TypeError, ValueError):
        return None


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
