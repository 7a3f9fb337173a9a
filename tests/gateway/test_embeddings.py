"""Embeddings through the whole gateway: from a scripted server, and from the built-in model."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from assay.gateway.errors import (
    MalformedResponse,
    MissingExtra,
    MissingKey,
    RequestRefused,
    UnknownModel,
    UnknownProvider,
)
from assay.gateway.providers import builtin_embeddings
from assay.gateway.providers.builtin_embeddings import EMBEDDERS
from assay.gateway.retry import RetryPolicy
from assay.gateway.service import Gateway
from assay.gateway.slots import Slots
from assay.testing.scripted_model import ScriptedModelServer

Provider = Callable[..., str]
TEXTS = ["a b c", "a b", "äöü \N{GRINNING FACE}"]


def near(left: Any, right: Any) -> float:
    a, b = np.asarray(left), np.asarray(right)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


async def test_each_text_gets_its_vector(gateway: Gateway, provider: Provider) -> None:
    async with ScriptedModelServer(embedding=lambda text: [len(text), 1.5]) as server:
        embedder = gateway.embedder(f"{provider(base_url=server.base_url)}/small")
        found = await embedder.embed(TEXTS, {"dimensions": 2})
    assert found.vectors == [[5.0, 1.5], [3.0, 1.5], [5.0, 1.5]]
    assert (found.usage.tokens_in, found.usage.tokens_out) == (7, 0)
    assert found.latency_ms > 0
    assert found.cost is None
    assert server.last_request == {"model": "small", "input": TEXTS, "dimensions": 2}
    assert server.counters.embedded == dict.fromkeys(TEXTS, 1)


async def test_they_cost_their_list_price(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedModelServer() as server:
        monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", server.base_url)
        found = await gateway.embedder("openai/text-embedding-3-small").embed(["one two"])
    assert found.cost == pytest.approx(2 * 0.02 / 1e6)


async def test_failures_that_pass_are_tried_again(gateway: Gateway, provider: Provider) -> None:
    async with ScriptedModelServer(rate_500=0.3, rate_malformed=0.2, seed=3) as server:
        embedder = gateway.embedder(f"{provider(base_url=server.base_url)}/small")
        found = [await embedder.embed(["hello"]) for _ in range(12)]
    assert server.counters.requests > 12
    assert sum(each.attempts for each in found) == server.counters.requests


async def test_limits_hold(gateway: Gateway, provider: Provider) -> None:
    slots = Slots(2)
    async with ScriptedModelServer(latency=0.01) as server:
        name = provider(base_url=server.base_url)
        embedder = gateway.embedder(f"{name}/small", slots)
        await asyncio.gather(*(embedder.embed([f"text {number}"]) for number in range(10)))
    assert server.counters.most_in_flight == 2
    assert slots.in_flight == 0


async def test_refusals_are_errors(gateway: Gateway, provider: Provider) -> None:
    async with ScriptedModelServer(api_key="right") as server:
        name = provider(base_url=server.base_url, api_key="wrong")
        with pytest.raises(RequestRefused, match=f"{name}/small answered 401"):
            await gateway.embedder(f"{name}/small").embed(["x"])


@pytest.mark.parametrize(
    "broken",
    [lambda _text: [], lambda _text: ["x"], lambda _text: [[1.0]], lambda _text: [None]],
)
async def test_what_is_no_vector_is_malformed(
    settings: Any, provider: Provider, broken: Callable[[str], Any]
) -> None:
    async with (
        ScriptedModelServer(embedding=broken) as server,
        Gateway(settings, retry=RetryPolicy(attempts=1)) as gateway,
    ):
        embedder = gateway.embedder(f"{provider(base_url=server.base_url)}/small")
        with pytest.raises(MalformedResponse, match="are not embeddings of the texts"):
            await embedder.embed(["x"])


async def test_who_makes_embeddings_is_known_before(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "BEDROCK_API_KEY", "key")
    gateway.check_embedder("ollama/nomic-embed-text")
    gateway.check_embedder("builtin/wordllama")
    for name, error, message in (
        ("bedrock/titan", UnknownModel, "speak the OpenAI protocol"),
        ("builtin/echo", UnknownModel, "there is builtin/wordllama"),
        ("nobody/m", UnknownProvider, "no provider 'nobody'"),
        ("openai/m", MissingKey, "OPENAI_API_KEY"),
    ):
        with pytest.raises(error, match=message):
            gateway.check_embedder(name)
        with pytest.raises(error, match=message):
            gateway.embedder(name)


async def test_the_built_in_model_needs_its_extra(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(MissingExtra, match=r"pip install 'assay\[embeddings\]'"):
        gateway.check_embedder("builtin/wordllama")


async def test_the_built_in_model_knows_what_words_mean(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin_embeddings, "_loaded", {})
    embedder = gateway.embedder("builtin/wordllama")
    texts = ["Your refund was sent.", "The money is on its way back.", "The cat sat on the mat."]
    # Whatever is loaded is loaded once, and the same text is the same vector in any company.
    first, again = await asyncio.gather(embedder.embed(texts), embedder.embed(texts[:1]))
    refund, money, cat = first.vectors
    assert len(refund) == 256
    assert near(refund, money) > near(refund, cat)
    assert np.array_equal(refund, again.vectors[0])
    assert (first.cost, first.usage.tokens_in) == (0.0, 17)
    assert list(builtin_embeddings._loaded) == [f"builtin/{name}" for name in EMBEDDERS]
    long = await embedder.embed(["refund " * 5000])
    assert near(long.vectors[0], refund) > near(long.vectors[0], cat)
    [nothing] = (await embedder.embed([""])).vectors
    assert not np.any(nothing)
