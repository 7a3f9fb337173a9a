"""Native providers: with models in memory, and Anthropic's protocol played on loopback."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from pydantic_ai import exceptions as theirs
from pydantic_ai.messages import (
    ModelMessage,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.messages import ModelResponse as NativeResponse
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers import infer_provider_class

from assay.gateway.errors import (
    MalformedResponse,
    MissingKey,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    RequestRefused,
    UnknownProvider,
)
from assay.gateway.providers.catalog import KNOWN, Protocol
from assay.gateway.providers.native import NativeModel
from assay.gateway.service import Gateway
from assay.gateway.types import ModelRequest, ModelResponse, TextDelta, Tool, ToolCall, Usage

Ask = Callable[[str], ModelRequest]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}},
    "required": ["id"],
    "additionalProperties": False,
}


async def test_an_answer_of_a_model_in_memory(ask: Ask) -> None:
    model = NativeModel("test/m", TestModel(custom_output_text="an answer"))
    response = await model.complete(ask("a question"))
    assert response.text == "an answer"
    assert response.usage.tokens_in > 0
    assert response.usage.tokens_out > 0
    assert response.latency_ms >= 0
    *pieces, last = [part async for part in model.stream(ask("a question"))]
    assert "".join(part.text for part in pieces if isinstance(part, TextDelta)) == "an answer"
    assert isinstance(last, ModelResponse)
    assert last.text == "an answer"
    assert last.first_token_ms is not None


@pytest.mark.parametrize(("able", "mode"), [(True, "native"), (False, "prompted")])
async def test_a_schema_reaches_the_model_by_the_means_it_has(able: bool, mode: str) -> None:
    seen: list[AgentInfo] = []

    def answer(_messages: list[ModelMessage], info: AgentInfo) -> NativeResponse:
        seen.append(info)
        return NativeResponse([TextPart('{"id": 3}')])

    inner = FunctionModel(answer, profile={"supports_json_schema_output": able})
    messages: Any = [{"role": "user", "content": "which?"}]
    response = await NativeModel("test/m", inner).complete(
        ModelRequest(messages, {"temperature": 0.5}, SCHEMA)
    )
    assert response.output_json == {"id": 3}
    parameters = seen[0].model_request_parameters
    assert parameters.output_mode == mode
    assert parameters.output_object is not None
    assert parameters.output_object.json_schema == SCHEMA
    assert (seen[0].model_settings or {}).get("temperature") == 0.5


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (theirs.ModelTimeoutError("m", "slow"), ModelTimeout),
        (theirs.ModelConnectionError("m", "reset"), ModelUnavailable),
        (theirs.ModelOverloadedError("m", "busy"), ModelUnavailable),
        (theirs.ModelServerError("m", "oops"), ModelUnavailable),
        (theirs.ModelRateLimitError("m", "slow down", retry_after=3), RateLimited),
        (theirs.ModelQuotaExceededError("m", "pay"), RequestRefused),
        (theirs.ModelRequestRejectedError("m", "bad"), RequestRefused),
        (theirs.ContentFilterError("bad words"), RequestRefused),
        (theirs.UserError("not so"), RequestRefused),
        (theirs.UnexpectedModelBehavior("what?"), MalformedResponse),
        (theirs.ModelHTTPError(500, "m", {"error": {"message": "oops"}}), ModelUnavailable),
        (theirs.ModelHTTPError(400, "m", "bad"), RequestRefused),
    ],
)
async def test_their_errors_become_ours(
    ask: Ask, raised: Exception, ours: type[ModelError]
) -> None:
    def fail(_messages: list[ModelMessage], _info: AgentInfo) -> NativeResponse:
        raise raised

    with pytest.raises(ours, match=r"^test/m") as seen:
        await NativeModel("test/m", FunctionModel(fail)).complete(ask("x"))
    assert seen.value.retry_after == getattr(raised, "retry_after", None)


@pytest.fixture
async def anthropic(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    """Serves `POST /v1/messages` by a handler, as the provider `anthropic`."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> None:
        app = web.Application()
        app.router.add_post("/v1/messages", handler)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        port = runners[-1].addresses[0][1]
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")

    yield start
    for runner in runners:
        await runner.cleanup()


def message(text: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1000, "output_tokens": 100},
    }


async def test_anthropics_protocol_is_spoken_on_the_wire(
    gateway: Gateway, anthropic: Callable[..., Any]
) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((str(request.headers), await request.json()))
        return web.json_response(message("Bonjour"))

    await anthropic(handler)
    messages: Any = [
        {"role": "system", "content": "Speak French."},
        {"role": "user", "content": "Hello"},
    ]
    response = await gateway.model("anthropic/claude-haiku-4-5").complete(
        ModelRequest(messages, {"temperature": 0.5, "max_tokens": 50, "stop": ["END"]})
    )
    assert response.text == "Bonjour"
    assert response.usage == Usage(1000, 100)
    assert response.cost == pytest.approx(0.0015)
    assert response.finish_reason == "stop"
    headers, body = seen[0]
    assert "sk-ant-secret" in headers
    assert body["model"] == "claude-haiku-4-5"
    assert body["max_tokens"] == 50
    assert body["temperature"] == 0.5
    assert body["stop_sequences"] == ["END"]
    assert "Speak French." in json.dumps(body["system"])
    assert "Hello" in json.dumps(body["messages"])


async def test_its_refusals_are_retried_or_final_as_ours_are(
    gateway: Gateway, anthropic: Callable[..., Any]
) -> None:
    statuses = iter([429, 529, 500, 200, 401])

    async def handler(_request: web.Request) -> web.Response:
        status = next(statuses)
        if status == 200:
            return web.json_response(message("at last"))
        error = {"type": "some_error", "message": f"no: sk-ant-secret {status}"}
        headers = {"retry-after": "0.01"} if status == 429 else {}
        body = {"type": "error", "error": error}
        return web.json_response(body, status=status, headers=headers)

    await anthropic(handler)
    model = gateway.model("anthropic/claude-haiku-4-5")
    messages: Any = [{"role": "user", "content": "x"}]
    # Without a limit of tokens pydantic-ai asks Anthropic for a stream.
    request = ModelRequest(messages, {"max_tokens": 5})
    response = await model.complete(request)
    assert (response.text, response.attempts) == ("at last", 4)
    with pytest.raises(RequestRefused, match=r"answered 401: no: \[key\] 401"):
        await model.complete(request)


async def test_it_streams(gateway: Gateway, anthropic: Callable[..., Any], ask: Ask) -> None:
    def event(kind: str, **data: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        whole = message("") | {"content": [], "stop_reason": None}
        await response.write(event("message_start", message=whole))
        block = {"type": "text", "text": ""}
        await response.write(event("content_block_start", index=0, content_block=block))
        for piece in ("Bon", "jour"):
            delta = {"type": "text_delta", "text": piece}
            await response.write(event("content_block_delta", index=0, delta=delta))
        await response.write(event("content_block_stop", index=0))
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        await response.write(event("message_delta", delta=end, usage={"output_tokens": 2}))
        await response.write(event("message_stop"))
        return response

    await anthropic(handler)
    parts = [part async for part in gateway.model("anthropic/claude-haiku-4-5").stream(ask("x"))]
    assert [part.text for part in parts] == ["Bon", "jour", "Bonjour"]
    last = parts[-1]
    assert isinstance(last, ModelResponse)
    assert last.usage == Usage(1000, 2)
    assert last.cost is not None


def test_pydantic_ai_knows_all_that_the_catalog_calls_native() -> None:
    for name, known in KNOWN.items():
        if known.protocol is Protocol.native:
            with suppress(ImportError):  # known, and its package is not here
                infer_provider_class(name)


async def test_a_provider_whose_package_is_missing_says_what_to_install(
    gateway: Gateway, ask: Ask
) -> None:
    with pytest.raises((UnknownProvider, MissingKey), match="cohere"):
        await gateway.model("cohere/command-r7b-12-2024").complete(ask("x"))


async def test_tools_reach_a_native_model_and_its_answer_goes_back_as_it_was() -> None:
    seen: list[tuple[list[ModelMessage], AgentInfo]] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> NativeResponse:
        seen.append((list(messages), info))
        if len(seen) > 1:
            return NativeResponse([TextPart("done")])
        signed = ThinkingPart("hm", signature="signed", provider_name="test")
        return NativeResponse([signed, TextPart("I look."), ToolCallPart("look", '{"at":1}', "c1")])

    model = NativeModel("test/m", FunctionModel(answer))
    tools = [Tool("look", "Look.", {"type": "object", "properties": {"at": {}}})]
    messages: Any = [{"role": "user", "content": "where?"}]
    response = await model.complete(ModelRequest(messages, tools=tools))
    (definition,) = seen[0][1].function_tools
    assert (definition.name, definition.description) == ("look", "Look.")
    assert definition.parameters_json_schema == tools[0].parameters
    assert response.text == "I look."
    assert response.tool_calls == [ToolCall("c1", "look", '{"at":1}')]
    stored = json.loads(json.dumps(response.native))

    said: Any = {
        "role": "assistant",
        "content": response.text,
        "tool_calls": [call.wire() for call in response.tool_calls],
    }
    result: Any = {"role": "tool", "content": "here", "tool_call_id": "c1"}
    signed_again: Any = {**said, "native": stored}
    for repeated in (signed_again, said):
        await model.complete(ModelRequest([*messages, repeated, result], tools=tools))
    with_native, without = seen[1][0][1], seen[2][0][1]
    assert [type(part) for part in with_native.parts] == [ThinkingPart, TextPart, ToolCallPart]
    assert getattr(with_native.parts[0], "signature", None) == "signed"
    assert without.parts == [TextPart("I look."), ToolCallPart("look", '{"at":1}', "c1")]
    (back,) = seen[1][0][2].parts
    assert isinstance(back, ToolReturnPart)
    assert (back.tool_name, back.content, back.tool_call_id) == ("look", "here", "c1")


async def test_streamed_calls_of_a_native_model_come_at_the_end() -> None:
    async def answer(_messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[Any]:
        yield {0: DeltaToolCall("look", '{"at"', tool_call_id="c1")}
        yield {0: DeltaToolCall(json_args=":1}")}

    model = NativeModel("test/m", FunctionModel(stream_function=answer))
    messages: Any = [{"role": "user", "content": "where?"}]
    tools = [Tool("look", "Look.", {"type": "object"})]
    (last,) = [part async for part in model.stream(ModelRequest(messages, tools=tools))]
    assert isinstance(last, ModelResponse)
    assert last.tool_calls == [ToolCall("c1", "look", '{"at":1}')]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "content": "here", "tool_call_id": "nobody asked"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1"}]},
        {"role": "assistant", "content": "", "native": {"kind": "nonsense"}},
    ],
)
async def test_conversations_with_tools_that_do_not_hold_together_are_refused(message: Any) -> None:
    model = NativeModel("test/m", TestModel())
    messages: Any = [{"role": "user", "content": "where?"}, message]
    with pytest.raises(RequestRefused):
        await model.complete(ModelRequest(messages))
