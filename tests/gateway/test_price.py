import time
from collections.abc import Callable
from typing import Any

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot

from assay.gateway.price import PricedModel
from assay.gateway.providers.catalog import KNOWN
from assay.gateway.rates import find_rate
from assay.gateway.service import Gateway
from assay.gateway.types import ModelRequest, ModelResponse, Usage
from assay.testing.scripted_model import ScriptedModelServer

Ask = Callable[[str], ModelRequest]

USAGES = [Usage(1000, 100), Usage(0, 7), Usage(5000, 0, 4000), Usage(300_000, 900, 250_000)]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "groq", "deepseek", "xai"])
def test_the_quick_sum_is_the_librarys_own(provider: str) -> None:
    theirs = {"xai": "x-ai"}.get(provider, provider)
    snapshot = get_snapshot()
    models = snapshot.find_provider(None, theirs, None).models
    compared = 0
    for model in models:
        rate = find_rate(provider, model.id)
        for usage in USAGES:
            cost = rate(usage)
            if cost is None:
                continue
            reference = calc_price(
                TheirUsage(
                    input_tokens=usage.tokens_in,
                    output_tokens=usage.tokens_out,
                    cache_read_tokens=usage.tokens_cached,
                ),
                model.id,
                provider_id=theirs,
            )
            assert cost == pytest.approx(float(reference.total_price)), (model.id, usage)
            compared += 1
    assert compared >= len(models)


def test_embeddings_have_a_price_of_what_goes_in() -> None:
    rate = find_rate("openai", "text-embedding-3-small")
    assert rate(Usage(1_000_000)) == pytest.approx(0.02)
    assert rate(Usage(10, 1)) is None


def test_what_has_no_price_has_no_cost() -> None:
    assert find_rate("nobody", "model")(Usage(1, 1)) is None
    assert find_rate("openai", "no-such-model")(Usage(1, 1)) is None
    assert find_rate("openai", "gpt-4o-mini")(Usage()) is None  # the provider did not count


@pytest.mark.parametrize(
    ("provider", "model"),
    [(name, known.sample) for name, known in KNOWN.items() if known.sample is not None],
)
def test_every_sample_is_a_model_whose_price_is_known(provider: str, model: str) -> None:
    assert find_rate(provider, model)(Usage(1, 1)) is not None


def test_a_price_takes_microseconds() -> None:
    rate, usage = find_rate("openai", "gpt-4o-mini"), Usage(1000, 100)
    started = time.perf_counter()
    for _ in range(10_000):
        rate(usage)
    assert (time.perf_counter() - started) / 10_000 < 50e-6


async def test_answers_carry_their_cost(fake: Any, ask: Ask) -> None:
    inner = fake(["a", "b"], Usage(1_000_000, 0))
    inner.name = "openai/gpt-4o-mini"
    model = PricedModel(inner)
    assert (await model.complete(ask("x"))).cost == pytest.approx(0.15)
    *_, last = [part async for part in model.stream(ask("x"))]
    assert isinstance(last, ModelResponse)
    assert last.cost == pytest.approx(0.15)


async def test_a_self_hosted_model_on_loopback_is_free_and_an_unknown_one_is_not(
    gateway: Gateway,
    provider: Callable[..., str],
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ScriptedModelServer() as server:
        monkeypatch.setenv("VLLM_BASE_URL", server.base_url)
        assert (await gateway.model("vllm/m").complete(ask("x"))).cost == 0.0
        unknown = gateway.model(f"{provider(base_url=server.base_url)}/m")
        assert (await unknown.complete(ask("x"))).cost is None
