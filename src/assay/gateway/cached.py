"""Answers equal requests from the cache, where the model is asked not to vary."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from assay.core.text import text_fault
from assay.gateway.cache import Answer, CacheMode, ResponseCache
from assay.gateway.errors import ModelError
from assay.gateway.types import (
    Model,
    ModelRequest,
    ModelResponse,
    Original,
    StreamPart,
    TextDelta,
    Usage,
)


class CachedModel:
    """A model that is not asked again what it has answered at temperature 0.

    Equal requests that this process has in flight are asked once. What is not at an explicit
    temperature of 0 goes straight to the model, and so does a request with tools: what they do
    in the world is not in it, so an equal one does not want an equal answer.
    """

    def __init__(self, inner: Model, cache: ResponseCache, mode: CacheMode, place: str) -> None:
        """Take the model and the cache.

        Args:
            inner: the model.
            cache: where answers are.
            mode: `refresh` takes none from the cache, and puts new ones there.
            place: where the model is asked; the same name elsewhere is another model.
        """
        self.name = inner.name
        self._inner = inner
        self._cache = cache
        self._mode = mode
        self._place = place

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece, with `original` set where the answer is not new."""
        if request.tools or not is_fixed(request.parameters):
            return await self._inner.complete(request)
        started = time.perf_counter()
        key = self._key(request)
        while (ahead := self._cache.asking.get(key)) is not None:
            outcome = await asyncio.shield(ahead)
            if outcome is not None and (outcome[1] or self._mode is CacheMode.on):
                return _response(request, outcome[0], started)
        return await self._lead(key, request, started)

    async def _lead(self, key: bytes, request: ModelRequest, started: float) -> ModelResponse:
        """Answer, and tell whoever wants the same meanwhile."""
        asking = self._cache.asking
        mine: asyncio.Future[tuple[Answer, bool] | None]
        mine = asking[key] = asyncio.get_running_loop().create_future()
        try:
            if self._mode is CacheMode.on and (found := await self._cache.find(key)) is not None:
                mine.set_result((found, False))
                return _response(request, found, started)
            response = await self._inner.complete(request)
            answer = _answer(response)
            if text_fault(response.text) is None:  # or else PostgreSQL would not take it
                await self._cache.keep(key, self.name, answer)
            mine.set_result((answer, True))
            return response
        except ModelError as error:
            mine.set_exception(error)
            mine.exception()  # nobody need be waiting for it
            raise
        finally:
            del asking[key]
            if not mine.done():
                mine.set_result(None)  # broken off: the next in line asks

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; a cached answer is one piece."""
        if request.tools or not is_fixed(request.parameters):
            async with aclosing(self._inner.stream(request)) as parts:
                async for part in parts:
                    yield part
            return
        response = await self.complete(request)
        if response.text:
            yield TextDelta(response.text)
        yield response

    def _key(self, request: ModelRequest) -> bytes:
        asked = {
            "model": self.name,
            "place": self._place,
            "parameters": dict(request.parameters),
            "messages": request.messages,
            "output_schema": request.output_schema,
            "repetition": request.repetition,
        }
        options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
        return hashlib.sha256(orjson.dumps(asked, option=options)).digest()


def is_fixed(parameters: Mapping[str, Any]) -> bool:
    """Whether parameters say that the answer shall not vary."""
    temperature = parameters.get("temperature")
    return temperature == 0 and not isinstance(temperature, bool)


def _answer(response: ModelResponse) -> Answer:
    usage = response.usage
    return {
        "text": response.text,
        "usage": [usage.tokens_in, usage.tokens_out, usage.tokens_cached],
        "latency_ms": response.latency_ms,
        "finish_reason": response.finish_reason,
        "cost": response.cost,
        "logprobs": response.logprobs,
    }


def _response(request: ModelRequest, answer: Answer, started: float) -> ModelResponse:
    response = ModelResponse(
        answer["text"],
        Usage(*answer["usage"]),
        (time.perf_counter() - started) * 1000.0,
        finish_reason=answer["finish_reason"],
        attempts=0,
        cost=0.0,
        logprobs=answer.get("logprobs"),
        original=Original(answer["latency_ms"], answer["cost"]),
    )
    if request.output_schema is not None:
        response.parse()
    return response
