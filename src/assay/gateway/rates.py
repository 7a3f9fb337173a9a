"""List prices of models, from `genai-prices`.

Importing that library's table takes the better part of a second: import this module late.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices

from assay.gateway.price import Rate
from assay.gateway.types import Usage

# The ids of genai-prices where they are not our names.
_IDS = {"xai": "x-ai", "azure-openai": "azure", "bedrock": "aws", "google-cloud": "google"}


@cache
def find_rate(provider: str, model: str) -> Rate:
    """The price of a model of a provider, for any usage.

    Tokens of images and audio count as text tokens, for providers rarely tell them apart.
    """
    try:
        _, found = get_snapshot().find_provider_model(
            model, None, _IDS.get(provider, provider), None
        )
    except LookupError:
        return _unknown
    prices = found.prices
    if isinstance(prices, ModelPrice):
        return _rate(prices)

    def rate_now(usage: Usage) -> float | None:
        return _rate(found.get_prices(datetime.now(UTC)))(usage)

    return rate_now  # some prices depend on the date or the hour


def _unknown(_usage: Usage) -> None:
    return None


def _rate(price: ModelPrice) -> Rate:
    """The price in plain floats: the library's own sum takes a hundred times as long."""
    if price.input_mtok is None:
        return _unknown
    fresh = _Price(price.input_mtok)
    cached = fresh if price.cache_read_mtok is None else _Price(price.cache_read_mtok)
    # Of models that make embeddings there is no price of answers.
    answer = None if price.output_mtok is None else _Price(price.output_mtok)
    call = 0.0 if price.requests_kcount is None else _Price(price.requests_kcount).base / 1000.0

    def cost(usage: Usage) -> float | None:
        tokens_in = usage.tokens_in
        if not tokens_in and not usage.tokens_out:
            return None  # the provider did not count
        if answer is None and usage.tokens_out:
            return None
        millionths = (
            fresh.at(tokens_in) * (tokens_in - usage.tokens_cached)
            + cached.at(tokens_in) * usage.tokens_cached
            + (answer.at(tokens_in) * usage.tokens_out if answer else 0.0)
        )
        return millionths / 1e6 + call

    return cost


class _Price:
    """A price that may be another one for long prompts."""

    __slots__ = ("base", "tiers")

    def __init__(self, price: Decimal | TieredPrices) -> None:
        if isinstance(price, TieredPrices):
            self.base = float(price.base)
            self.tiers = [(tier.start, float(tier.price)) for tier in reversed(price.tiers)]
        else:
            self.base = float(price)
            self.tiers = []

    def at(self, tokens_in: int) -> float:
        """The price in a call with that long a prompt."""
        for start, price in self.tiers:
            if tokens_in > start:
                return price
        return self.base
