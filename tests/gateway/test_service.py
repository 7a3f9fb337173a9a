import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from assay.core.config import Settings
from assay.core.errors import Invalid, SetupError
from assay.gateway.errors import (
    MissingKey,
    ModelUnavailable,
    RemoteForbidden,
    RequestRefused,
    UnknownModel,
    UnknownProvider,
)
from assay.gateway.limits import LocalLimits
from assay.gateway.service import Gateway
from assay.gateway.slots import Slots
from assay.gateway.types import Model, ModelRequest
from assay.testing.scripted_model import ScriptedModelServer

Ask = Callable[[str], ModelRequest]
Scripted = Callable[..., Awaitable[tuple[Model, ScriptedModelServer]]]

VARIABLES = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [*VARIABLES, "GEMINI_API_KEY", "GROQ_API_KEY", "OLLAMA_BASE_URL"]:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("gpt-4o", UnknownProvider, "named provider/model, such as builtin/echo"),
        ("/gpt-4o", UnknownProvider, "has no provider"),
        ("openai/", UnknownModel, "has no model"),
        ("opanai/gpt-4o", UnknownProvider, "did you mean openai"),
        ("my-server/m", UnknownProvider, "setting MY_SERVER_BASE_URL"),
        ("vllm/m", UnknownProvider, "set VLLM_BASE_URL"),
        ("azure-openai/m", UnknownProvider, "set AZURE_OPENAI_BASE_URL"),
        ("openai/gpt-4o", MissingKey, "set OPENAI_API_KEY"),
        ("anthropic/claude-haiku-4-5", MissingKey, "set ANTHROPIC_API_KEY"),
        ("google/gemini-3.1-flash-lite", MissingKey, "set GOOGLE_API_KEY"),
        ("builtin/eco", UnknownModel, "there are builtin/echo, builtin/keyword-classifier"),
    ],
)
def test_a_name_that_cannot_be_asked_says_why_and_what_would_help(
    settings: Settings, name: str, error: type[Exception], words: str
) -> None:
    gateway = Gateway(settings)
    for look_up in (gateway.check, gateway.model):
        with pytest.raises(error, match=words) as raised:
            look_up(name)
        assert isinstance(raised.value, Invalid)


def test_names_that_can_be_asked_pass(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("GEMINI_API_KEY", "g-1")
    monkeypatch.setenv("MY_SERVER_BASE_URL", "https://models.example/v1")
    gateway = Gateway(settings)
    for name in ("openai/gpt-4o", "google/gemini-3.1-flash-lite", "my-server/a/b", "ollama/x"):
        gateway.check(name)


def test_no_key_is_needed_on_loopback(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://{host}:8000/v1/")
        Gateway(settings).check("openai/anything")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost.models.example/v1")
    with pytest.raises(MissingKey):
        Gateway(settings).check("openai/anything")


@pytest.mark.parametrize("value", ["localhost:8000", "ftp://x/v1", "http://", "http://u:p@h/v1"])
def test_a_base_url_that_is_none_names_its_variable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", value)
    with pytest.raises(SetupError, match="OPENAI_BASE_URL: takes a base URL such as"):
        Gateway(settings).check("openai/gpt-4o")


def test_a_key_with_a_line_break_inside_is_refused_without_being_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\nX-Evil: 1")
    with pytest.raises(SetupError, match="OPENAI_API_KEY") as raised:
        Gateway(settings).check("openai/gpt-4o")
    assert "sk-1" not in str(raised.value)


def test_tests_can_forbid_all_that_is_remote(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-2")
    monkeypatch.setattr(Gateway, "allow_remote", False)
    gateway = Gateway(settings)
    for name in ("openai/gpt-4o", "anthropic/claude-haiku-4-5"):
        with pytest.raises(RemoteForbidden, match="not on this machine"):
            gateway.model(name)
    gateway.check("builtin/echo")
    gateway.check("ollama/x")


async def test_available_are_the_builtin_those_on_loopback_and_a_sample_for_each_key(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-2")
    async with ScriptedModelServer(models=["small", "nomic-embed-text"]) as server:
        monkeypatch.setenv("OLLAMA_BASE_URL", server.base_url)
        names = await gateway.available()
    assert names[:4] == [
        "builtin/echo",
        "builtin/keyword-classifier",
        "builtin/first-label",
        "builtin/arithmetic",
    ]
    assert "ollama/small" in names
    assert "ollama/nomic-embed-text" not in names
    assert "anthropic/claude-haiku-4-5" in names
    assert not any(name.startswith("openai/") for name in names)
    for name in names:
        gateway.check(name)


async def test_a_server_that_hangs_is_not_waited_for(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("OLLAMA_BASE_URL", f"http://127.0.0.1:{port}/v1")
    started = time.monotonic()
    names = await gateway.available()
    server.close()
    assert time.monotonic() - started < 3
    assert not any(name.startswith("ollama/") for name in names)


async def test_a_gateway_that_is_not_entered_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with pytest.raises(RuntimeError, match="enter the gateway first"):
        Gateway(settings).model("openai/gpt-4o")


async def test_slots_come_from_the_limits_with_the_providers_scope(
    settings: Settings, provider: Callable[..., str], ask: Ask
) -> None:
    asked: list[tuple[str, int]] = []

    class Recorded(LocalLimits):
        def slots(self, scope: str, limit: int) -> Slots:
            asked.append((scope, limit))
            return super().slots(scope, limit)

    async with (
        ScriptedModelServer() as server,
        Gateway(settings, Recorded()) as gateway,
    ):
        name = provider(base_url=server.base_url, max_concurrency=7)
        assert gateway.concurrency(f"{name}/m") == 7
        await gateway.model(f"{name}/m").complete(ask("x"))
    assert asked == [(f"provider:{name}", 7)]


async def test_the_key_reaches_the_server_and_neither_errors_nor_logs(
    scripted: Scripted, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model, server = await scripted({"api_key": "sk-very-secret"}, api_key="sk-very-secret")
    await model.complete(ask("a private question"))
    server.api_key = "sk-other"
    with pytest.raises(RequestRefused) as refused:
        await model.complete(ask("a private question"))
    server.api_key, server.rate_broken = None, 1.0
    with pytest.raises(ModelUnavailable) as broken:
        await model.complete(ask("a private question"))
    said = f"{refused.value}{broken.value!r}{caplog.text}{model!r}"
    assert "sk-very-secret" not in said
    assert "private question" not in caplog.text


async def test_leaving_the_gateway_closes_its_connections(
    settings: Settings, provider: Callable[..., str], ask: Ask
) -> None:
    async with ScriptedModelServer() as server:
        async with Gateway(settings) as gateway:
            model = gateway.model(f"{provider(base_url=server.base_url)}/m")
            await model.complete(ask("x"))
        with pytest.raises(RuntimeError, match="closed"):
            await model.complete(ask("x"))
