"""The bytes of the OpenAI protocol for embeddings, from the server's side."""

import math
import zlib
from collections.abc import Callable, Sequence

from aiohttp import web

from assay.testing.chat_wire import Json, json_response

DIMENSIONS = 64

Embedding = Callable[[str], Sequence[float]]


def embeddings(request: Json, embed: Embedding) -> web.Response:
    """A vector for each text; tokens are words, as in the stand-in for chats."""
    texts = texts_of(request)
    tokens = sum(len(text.split()) for text in texts)
    data = [
        {"object": "embedding", "index": index, "embedding": list(embed(text))}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_response(
        {"object": "list", "data": data, "model": request["model"], "usage": usage}
    )


def texts_of(request: Json) -> list[str]:
    """The texts of a request for embeddings, which may be one or a list."""
    given = request["input"]
    return [given] if isinstance(given, str) else list(given)


def words_vector(text: str) -> list[float]:
    """A vector of length 1 that counts words: the more words two texts share, the nearer."""
    vector = [0.0] * DIMENSIONS
    for word in text.lower().split():
        vector[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
    length = math.sqrt(sum(number * number for number in vector))
    return [number / length for number in vector] if length else vector
