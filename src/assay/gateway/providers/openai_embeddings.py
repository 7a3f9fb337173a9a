"""The adapter for `POST {base_url}/embeddings` of the OpenAI protocol."""

import time
from collections.abc import AsyncGenerator
from typing import Any

import orjson

from assay.gateway.errors import RequestRefused
from assay.gateway.providers.openai_endpoint import OpenAIModel
from assay.gateway.types import ModelRequest, ModelResponse, StreamPart, Usage, text_of


class OpenAIEmbeddingModel(OpenAIModel):
    """A model that answers each message of a request with a vector, in `output_json`."""

    _path = "embeddings"
    _answer = "embeddings of the texts that were sent"

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """The vectors of the messages, a list of numbers for each."""
        texts = [text_of(message) for message in request.messages]
        body = {**request.parameters, "model": self._model, "input": texts}
        try:
            encoded = orjson.dumps(body)
        except TypeError as error:
            raise RequestRefused(f"this request to {self.name} is not JSON: {error}") from error
        started = time.perf_counter()
        answer = await self._post(encoded)
        return self._decode(answer, len(texts), (time.perf_counter() - started) * 1000.0)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """The vectors in one piece: there is nothing to stream."""
        yield await self.complete(request)

    def _decode(self, answer: bytes, count: int, latency_ms: float) -> ModelResponse:
        try:
            body = orjson.loads(answer)
            if "error" in body and "data" not in body:
                raise self._error_in(body["error"])
            entries = sorted(body["data"], key=lambda entry: entry["index"])
            vectors = [_vector(entry["embedding"]) for entry in entries]
            if [entry["index"] for entry in entries] != list(range(count)):
                raise ValueError("not one for each text")
            usage = Usage((body.get("usage") or {}).get("prompt_tokens") or 0)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._malformed(answer) from error
        return ModelResponse("", usage, latency_ms, output_json=vectors)


def _vector(numbers: Any) -> list[float]:
    if not numbers:
        raise ValueError("an empty vector")
    return [float(number) for number in numbers]
