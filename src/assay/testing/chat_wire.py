"""The bytes of the OpenAI chat protocol, from the server's side."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from aiohttp import web

from assay.testing.script import ChatRequest

Json = dict[str, Any]


def completion(
    number: int, request: ChatRequest, text: str, logprobs: Sequence[float] | None = None
) -> web.Response:
    """A whole answer."""
    body = completion_body(number, request, text)
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


def events(number: int, request: ChatRequest, text: str) -> Iterator[bytes]:
    """A streamed answer: a server-sent event for each word, the end, tokens if asked for."""

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
    yield chunk([_delta({}, finish_reason="stop")])
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


def _count(content: str | list[Json]) -> int:
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
