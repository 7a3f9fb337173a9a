"""A gateway in front of scripted servers, and models that live in memory."""

import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from assay.core.config import Settings
from assay.gateway.errors import ModelError
from assay.gateway.retry import RetryPolicy
from assay.gateway.service import Gateway
from assay.gateway.types import (
    Model,
    ModelRequest,
    ModelResponse,
    StreamPart,
    TextDelta,
    Usage,
)
from assay.testing.scripted_model import ScriptedModelServer

QUICK = RetryPolicy(base=0.01, longest=0.05, patience=30.0)

Ask = Callable[[str], ModelRequest]
Scripted = Callable[..., Awaitable[tuple[Model, ScriptedModelServer]]]


@pytest.fixture
def ask() -> Ask:
    """A request with one user message."""
    return lambda text: ModelRequest([{"role": "user", "content": text}])


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None)


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[Gateway]:
    """A gateway that does not wait long before it asks again."""
    async with Gateway(settings, retry=QUICK) as gateway:
        yield gateway


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes up a provider with these settings (`base_url=`, `rpm=`, ...) and gives its name."""

    def make(**settings: object) -> str:
        name = f"made-up-{uuid.uuid4().hex[:8]}"
        for key, value in settings.items():
            variable = f"{name.upper().replace('-', '_')}_{key.upper()}"
            monkeypatch.setitem(os.environ, variable, str(value))
        return name

    return make


@pytest.fixture
async def scripted(gateway: Gateway, provider: Callable[..., str]) -> AsyncIterator[Scripted]:
    """Starts a scripted server and gives a model of it, through the whole gateway."""
    async with AsyncExitStack() as stack:

        async def start(
            settings: dict[str, object] | None = None, **script: Any
        ) -> tuple[Model, ScriptedModelServer]:
            server = await stack.enter_async_context(ScriptedModelServer(**script))
            name = provider(base_url=server.base_url, **(settings or {}))
            return gateway.model(f"{name}/scripted"), server

        yield start


class FakeModel:
    """Answers in memory with what it is given, in order: texts, and errors to raise."""

    def __init__(self, answers: Sequence[str | ModelError], usage: Usage | None = None) -> None:
        self.name = "fake/model"
        self.asked: list[ModelRequest] = []
        self._answers = iter(answers)
        self._usage = usage or Usage(10, 2)

    async def complete(self, request: ModelRequest) -> ModelResponse:
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, ModelError):
            raise answer
        return ModelResponse(answer, self._usage, 1.0, finish_reason="stop")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        response = await self.complete(request)
        for word in response.text.split():
            yield TextDelta(word)
        broken = next(self._answers, None)
        if isinstance(broken, ModelError):
            raise broken
        yield response


@pytest.fixture
def fake() -> Callable[..., FakeModel]:
    return FakeModel
