"""Texts to vectors, by a model whose answer is one vector for each message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.gateway.types import Model, ModelRequest, Usage

Vector = Sequence[float]


@dataclass(slots=True, frozen=True)
class Embeddings:
    """The vectors of texts, and what they took.

    Attributes:
        vectors: one for each text, in their order.
        usage: tokens as the provider counted them; only `tokens_in` counts here.
        latency_ms: of the attempt that succeeded.
        attempts: how often the provider was asked.
        cost: USD at list price; `None` where the price is not known.
    """

    vectors: Sequence[Vector]
    usage: Usage
    latency_ms: float
    attempts: int
    cost: float | None


class Embedder:
    """A model that makes embeddings.

    Attributes:
        name: `provider/model`.
    """

    def __init__(self, model: Model) -> None:
        """Take the model, with all that is wrapped around it."""
        self.name = model.name
        self._model = model

    async def embed(
        self, texts: Sequence[str], parameters: Mapping[str, Any] | None = None
    ) -> Embeddings:
        """The vectors of `texts`, from one call.

        Args:
            texts: at least one; providers refuse empty ones.
            parameters: by their names in the OpenAI protocol, such as `dimensions`.

        Raises:
            ModelError: see `assay.gateway.errors`.
        """
        request = ModelRequest(
            [{"role": "user", "content": text} for text in texts], parameters or {}
        )
        response = await self._model.complete(request)
        return Embeddings(
            response.output_json,
            response.usage,
            response.latency_ms,
            response.attempts,
            response.cost,
        )
