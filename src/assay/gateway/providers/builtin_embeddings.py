"""Embeddings that need no key and no network, from a package that brings its weights along."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from assay.gateway.errors import MissingExtra, UnknownModel
from assay.gateway.types import ModelRequest, ModelResponse, StreamPart, Usage, text_of

EMBEDDERS = {"wordllama": "wordllama"}
"""The package behind each built-in model that makes embeddings."""

EXTRA = "embeddings"
# Longer texts could hold up the event loop, so they go to a thread.
_LONG = 20_000
_loading = threading.Lock()


def check_embedder(name: str) -> None:
    """Say whether `builtin/<name>` can be asked.

    Raises:
        UnknownModel: there is none by that name that makes embeddings.
        MissingExtra: its package is not installed.
    """
    package = EMBEDDERS.get(name)
    if package is None:
        known = ", ".join(f"builtin/{each}" for each in EMBEDDERS)
        raise UnknownModel(f"builtin/{name} makes no embeddings; there is {known}")
    if find_spec(package) is None:
        raise MissingExtra(
            f"builtin/{name} needs the extra `{EXTRA}`, which is not installed: "
            f"pip install 'assay[{EXTRA}]'"
        )


class WordLlamaModel:
    """WordLlama: averages of word vectors, 256 numbers for each text; its tokens are its own.

    D. L. Miller, "WordLlama", https://github.com/dleemiller/WordLlama, 2024.
    """

    def __init__(self, model: str) -> None:
        """Take the name behind the slash.

        Raises:
            ModelError: as `check_embedder`.
        """
        check_embedder(model)
        self.name = f"builtin/{model}"

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """The vectors of the messages, in `output_json`."""
        texts = [text_of(message) for message in request.messages]
        model = _loaded.get(self.name) or await asyncio.to_thread(_load, self.name)
        started = time.perf_counter()
        if sum(map(len, texts)) > _LONG:
            vectors = await asyncio.to_thread(_embed, model, texts)
        else:
            vectors = _embed(model, texts)
        tokens = sum(len(text.split()) for text in texts)
        latency_ms = (time.perf_counter() - started) * 1000.0
        return ModelResponse("", Usage(tokens), latency_ms, cost=0.0, output_json=vectors)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """The vectors in one piece: there is nothing to stream."""
        yield await self.complete(request)


_loaded: dict[str, Any] = {}


def _load(name: str) -> Any:
    with _loading:
        if name not in _loaded:
            _loaded[name] = _open()
        return _loaded[name]


def _open() -> Any:
    # It takes a second to import.
    package = import_module("wordllama")
    # It looks for its tokenizer beside itself only where it is told to, and would download it.
    here = Path(package.__file__ or "").parent
    return package.WordLlama.load(cache_dir=here, disable_download=True)


def _embed(model: Any, texts: list[str]) -> Any:
    # One by one: in a batch the short texts would be padded to the longest.
    return [model.embed([text])[0] for text in texts]
