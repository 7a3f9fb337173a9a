"""The bytes of the OpenAI chat protocol, from the server's side."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from aiohttp import web

from assay.testing.script import ChatRequest, Turn

Json = dict[str, Any]
# Characters of the arguments of a call in one event of a stream.
_PIECE = 7


def completion(
    number: int, request: ChatRequest, turn: Turn, logprobs: Sequence[float] | None = None
) -> web.Response:
    """A whole answer."""
    body = completion_body(number, request, turn.text)
    if turn.calls:
        choice = body["choices"][0]
        choice["message"]["content"] = turn.text or None
        choice["message"]["tool_calls"] = _calls(number, turn)
        choice["finish_reason"] = "tool_calls"
    if logprobs is not None:
        tokens = [{"token": "", "logprob": value, "top_logprobs": []} for value in logprobs]
        body["choices"][0]["logprobs"] = {"content": tokens}
    return json_response(body)


def completion_body(number: int, request: ChatRequest, text: str) -> Json:
    """The JSON of a whole answer."""
    message = {"role": "assistant", "content": text}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage(request, text),
    }


def events(number: int, request: ChatRequest, turn: Turn) -> Iterator[bytes]:
    """A streamed answer: an event for each word and piece of a call, the end, tokens if asked."""
    text = turn.text

    def chunk(choices: list[Json], **more: object) -> bytes:
        data = {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": request["model"],
            "choices": choices,
            **more,
        }
        return b"data: %b\n\n" % orjson.dumps(data)

    yield chunk([_delta({"role": "assistant", "content": ""})])
    for word in _words(text):
        yield chunk([_delta({"content": word})])
    for index, call in enumerate(_calls(number, turn)):
        arguments = call["function"]["arguments"]
        first = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        yield chunk([_delta({"tool_calls": [first]})])
        for start in range(0, len(arguments), _PIECE):
            piece = {"arguments": arguments[start : start + _PIECE]}
            yield chunk([_delta({"tool_calls": [{"index": index, "function": piece}]})])
    yield chunk([_delta({}, finish_reason="tool_calls" if turn.calls else "stop")])
    if (request.get("stream_options") or {}).get("include_usage"):
        yield chunk([], usage=usage(request, text))
    yield b"data: [DONE]\n\n"


def error(
    status: int, message: str, *, code: str | None = None, retry_after: float | None = None
) -> web.Response:
    """An error as OpenAI writes it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    response = json_response({"error": {"message": message, "type": kind, "code": code}})
    response.set_status(status)
    if retry_after is not None:
        response.headers["Retry-After"] = f"{retry_after:g}"
    return response


def json_response(value: object) -> web.Response:
    """`value` as JSON, status 200."""
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def usage(request: ChatRequest, text: str) -> Json:
    """Tokens, for which this protocol's stand-in counts words."""
    tokens_in = sum(_count(message["content"]) for message in request["messages"])
    tokens_out = len(text.split())
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }


def _calls(number: int, turn: Turn) -> list[Json]:
    return [
        {
            "id": call.id or f"call_{number}_{index}",
            "type": "function",
            "function": {
                "name": call.tool,
                "arguments": call.arguments
                if isinstance(call.arguments, str)
                else orjson.dumps(call.arguments).decode(),
            },
        }
        for index, call in enumerate(turn.calls)
    ]


def _count(content: str | list[Json] | None) -> int:
    if content is None:
        return 0
    if isinstance(content, str):
        return len(content.split())
    return sum(len(part.get("text", "").split()) for part in content)


def _delta(delta: Json, *, finish_reason: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _words(text: str) -> Iterator[str]:
    """The words of `text`, each with the space behind it, so that joined they are the text."""
    start = 0
    while start < len(text):
        end = text.find(" ", start) + 1 or len(text)
        yield text[start:end]
        start = end
