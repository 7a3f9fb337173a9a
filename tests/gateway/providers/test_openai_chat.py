import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from assay.gateway.errors import (
    MalformedResponse,
    ModelError,
    ModelUnavailable,
    RateLimited,
    RequestRefused,
)
from assay.gateway.retry import RetryPolicy
from assay.gateway.service import Gateway
from assay.gateway.types import Model, ModelRequest, ModelResponse, TextDelta, Usage
from assay.testing.scripted_model import ScriptedModelServer

Ask = Callable[[str], ModelRequest]
Scripted = Callable[..., Awaitable[tuple[Model, ScriptedModelServer]]]
Raw = Callable[[bytes], Awaitable[Model]]

SCHEMA = {
    "title": "Order",
    "type": "object",
    "properties": {"id": {"type": "integer"}},
    "required": ["id"],
    "additionalProperties": False,
}


@pytest.fixture
async def gateway(settings: Any) -> AsyncIterator[Gateway]:
    """One that asks once only, so that the adapter's own errors are seen."""
    async with Gateway(settings, retry=RetryPolicy(attempts=1, patience=0)) as gateway:
        yield gateway


@pytest.fixture
async def raw(gateway: Gateway, provider: Callable[..., str]) -> AsyncIterator[Raw]:
    """A model whose server answers every request with these very bytes, and hangs up."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> Model:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        port = servers[-1].sockets[0].getsockname()[1]
        return gateway.model(f"{provider(base_url=f'http://127.0.0.1:{port}/v1')}/raw")

    yield start
    for server in servers:
        server.close()


def http(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    data = body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data


async def test_an_answer_with_its_tokens_and_times(scripted: Scripted, ask: Ask) -> None:
    model, _ = await scripted(latency=0.02, answer="four words of answer")
    response = await model.complete(ask("three words here"))
    assert response.text == "four words of answer"
    assert response.usage == Usage(tokens_in=3, tokens_out=4)
    assert response.finish_reason == "stop"
    assert response.attempts == 1
    assert 20 <= response.latency_ms < 2000
    assert response.first_token_ms is None


async def test_messages_parameters_and_the_key_go_out_as_they_are(scripted: Scripted) -> None:
    model, server = await scripted({"api_key": "k-123"})
    content: list[dict[str, Any]] = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]
    request = ModelRequest(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}],
        {"temperature": 0, "max_tokens": 5, "stop": ["\n"], "seed": 7},
    )
    await model.complete(request)
    assert server.last_request == {
        "model": "scripted",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": content},
        ],
        "temperature": 0,
        "max_tokens": 5,
        "stop": ["\n"],
        "seed": 7,
    }
    assert server.last_headers["Authorization"] == "Bearer k-123"
    assert server.last_headers["Content-Type"] == "application/json"


async def test_a_schema_is_asked_for_and_the_answer_parsed(scripted: Scripted) -> None:
    model, server = await scripted(answer='{"id": 3}')
    messages: Any = [{"role": "user", "content": "which?"}]
    response = await model.complete(ModelRequest(messages, output_schema=SCHEMA))
    assert response.output_json == {"id": 3}
    wanted = {"name": "Order", "schema": SCHEMA, "strict": True}
    assert server.last_request["response_format"] == {"type": "json_schema", "json_schema": wanted}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"id": {"type": "integer"}}},
        SCHEMA | {"required": []},
        SCHEMA | {"properties": {"id": {"anyOf": [{"type": "object"}]}}},
        {"type": "object"},
    ],
)
async def test_an_open_schema_is_not_strict(scripted: Scripted, schema: dict[str, Any]) -> None:
    model, server = await scripted(answer="{}")
    messages: Any = [{"role": "user", "content": "which?"}]
    await model.complete(ModelRequest(messages, output_schema=schema))
    assert server.last_request["response_format"]["json_schema"]["strict"] is False


async def test_text_that_breaks_the_schema_is_an_answer_all_the_same(scripted: Scripted) -> None:
    model, _ = await scripted(answer="sorry, I cannot")
    messages: Any = [{"role": "user", "content": "which?"}]
    response = await model.complete(ModelRequest(messages, output_schema=SCHEMA))
    assert (response.text, response.output_json) == ("sorry, I cannot", None)


async def test_a_stream_gives_pieces_and_then_the_whole(scripted: Scripted, ask: Ask) -> None:
    model, _ = await scripted(latency=0.02, answer="one two three ünï")
    *pieces, last = [part async for part in model.stream(ask("hello there"))]
    assert [piece.text for piece in pieces if isinstance(piece, TextDelta)] == [
        "one ",
        "two ",
        "three ",
        "ünï",
    ]
    assert isinstance(last, ModelResponse)
    assert last.text == "one two three ünï"
    assert last.usage == Usage(tokens_in=2, tokens_out=4)
    assert last.finish_reason == "stop"
    assert last.first_token_ms is not None
    assert 20 <= last.first_token_ms <= last.latency_ms


async def test_events_cut_at_any_byte_are_put_together_again(raw: Raw, ask: Ask) -> None:
    events = (
        ": a comment keeps the line open\r\n\r\n"
        'data: {"choices":[{"delta":{"role":"assistant","content":"é"}}]}\r\n\r\n'
        'data:{"choices":[{"delta":{"content":"!"},"finish_reason":"stop"}]}\n\n'
        'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
    ).encode()
    chunks = b"".join(b"1\r\n%b\r\n" % events[n : n + 1] for n in range(len(events)))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    model = await raw(head + chunks + b"0\r\n\r\n")
    *pieces, last = [part async for part in model.stream(ask("x"))]
    assert pieces == [TextDelta("é"), TextDelta("!")]
    assert isinstance(last, ModelResponse)
    assert (last.text, last.usage) == ("é!", Usage(1, 2))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ({"rate_429": 1}, RateLimited),
        ({"rate_500": 1}, ModelUnavailable),
        ({"api_key": "another"}, RequestRefused),
        ({"models": ["another"]}, RequestRefused),
    ],
)
async def test_refusals_name_the_model_and_repeat_the_message(
    scripted: Scripted, ask: Ask, script: dict[str, Any], error: type[ModelError]
) -> None:
    model, server = await scripted(**script)
    for attempt in (model.complete(ask("x")), anext(model.stream(ask("x")))):
        with pytest.raises(error) as raised:
            await attempt
        assert str(raised.value).startswith(f"{model.name} answered ")
        assert raised.value.transient is (error is not RequestRefused)
    assert server.counters.requests == 2


@pytest.mark.parametrize(("seed", "streamed"), [(0, False), (1, False), (0, True), (1, True)])
async def test_a_broken_connection_is_unavailable(
    scripted: Scripted, ask: Ask, seed: int, streamed: bool
) -> None:
    model, _ = await scripted(rate_broken=1)
    for _ in range(seed + 1):  # by turns without an answer and in the middle of one
        with pytest.raises(ModelUnavailable, match="broke the connection"):
            await (anext(model.stream(ask("x"))) if streamed else model.complete(ask("x")))


async def test_bodies_that_are_no_chat_completion_are_malformed(
    scripted: Scripted, ask: Ask
) -> None:
    model, _ = await scripted(rate_malformed=1)
    for _ in range(2):
        with pytest.raises(MalformedResponse, match=r"200 with (32|15) bytes"):
            await model.complete(ask("x"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "7",
        "null",
        '"text"',
        "{}",
        '{"choices": null}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"message": {"content": 7}}]}',
        '{"choices": [{"message": {"content": [{"type": "text"}]}}]}',
        '{"choices": [{"message": {"content": "x"}}], "usage": 3}',
        '{"error": "text"}',
    ],
)
async def test_every_other_body_is_malformed_too(raw: Raw, ask: Ask, body: str) -> None:
    model = await raw(http(body))
    with pytest.raises(MalformedResponse):
        await model.complete(ask("x"))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"choices": [{"message": {"content": null, "refusal": "no"}}]}', "no"),
        ('{"choices": [{"message": {"content": null}}]}', ""),
        ('{"choices": [{"message": {"content": [{"type": "text", "text": "a"}]}}]}', "a"),
    ],
)
async def test_the_shapes_of_text_that_servers_give(
    raw: Raw, ask: Ask, body: str, text: str
) -> None:
    response = await (await raw(http(body))).complete(ask("x"))
    assert response.text == text
    assert response.usage == Usage()
    assert response.cost is None


@pytest.mark.parametrize(
    ("logprobs", "found"),
    [
        (
            '{"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}]}',
            [-0.5, -1],
        ),
        ('{"content": []}', []),
        ('{"content": null}', None),
        ('{"tokens": ["a"], "token_logprobs": [-0.5]}', None),
        ('{"content": [{"token": "a", "logprob": null}]}', None),
        ("[1]", None),
        ("null", None),
    ],
)
async def test_log_probabilities_come_with_the_answer(
    raw: Raw, ask: Ask, logprobs: str, found: list[float] | None
) -> None:
    body = f'{{"choices": [{{"message": {{"content": "x"}}, "logprobs": {logprobs}}}]}}'
    response = await (await raw(http(body))).complete(ask("x"))
    assert (response.text, response.logprobs) == ("x", found)


async def test_cached_tokens_are_told_apart(raw: Raw, ask: Ask) -> None:
    body = (
        '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 9,'
        ' "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 8}}}'
    )
    response = await (await raw(http(body))).complete(ask("x"))
    assert response.usage == Usage(tokens_in=9, tokens_out=1, tokens_cached=8)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"error": {"code": 429, "message": "slow"}}', RateLimited),
        ('{"error": {"code": 400, "message": "bad"}}', RequestRefused),
        ('{"error": {"code": "odd", "message": "?"}}', ModelUnavailable),
    ],
)
async def test_an_error_inside_a_200_counts_as_what_it_says(
    raw: Raw, ask: Ask, body: str, error: type[ModelError]
) -> None:
    with pytest.raises(error):
        await (await raw(http(body))).complete(ask("x"))
    streamed = await raw(http(f"data: {body}\n\n"))
    with pytest.raises(error):
        await anext(streamed.stream(ask("x")))


async def test_a_stream_that_stops_before_its_end_is_broken_off(raw: Raw, ask: Ask) -> None:
    model = await raw(http('data: {"choices":[{"delta":{"content":"half"}}]}\n\n'))
    parts = model.stream(ask("x"))
    assert await anext(parts) == TextDelta("half")
    with pytest.raises(ModelUnavailable, match="broke its answer off"):
        await anext(parts)


async def test_a_stream_of_something_else_is_malformed(raw: Raw, ask: Ask) -> None:
    model = await raw(http("data: {oops\n\n"))
    with pytest.raises(MalformedResponse):
        await anext(model.stream(ask("x")))


async def test_an_answer_that_is_not_http_is_malformed(raw: Raw, ask: Ask) -> None:
    with pytest.raises(MalformedResponse, match="not HTTP"):
        await (await raw(b"SSH-2.0-OpenSSH\r\n\r\n")).complete(ask("x"))


async def test_an_announcement_before_the_answer_is_passed_over(raw: Raw, ask: Ask) -> None:
    answer = http('{"choices": [{"message": {"content": "late"}}]}')
    model = await raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer)
    assert (await model.complete(ask("x"))).text == "late"


async def test_an_answer_without_a_length_ends_with_the_connection(raw: Raw, ask: Ask) -> None:
    body = b'{"choices": [{"message": {"content": "all of it"}}]}'
    model = await raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
    assert (await model.complete(ask("x"))).text == "all of it"


async def test_a_redirect_is_not_followed(raw: Raw, ask: Ask) -> None:
    moved = http("", "301 Moved Permanently", "Location: http://models.example/v1\r\n")
    with pytest.raises(RequestRefused, match="check the base URL"):
        await (await raw(moved)).complete(ask("x"))


async def test_nobody_there_says_where(
    gateway: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    model = gateway.model(f"{provider(base_url=f'http://127.0.0.1:{port}/v1')}/x")
    with pytest.raises(ModelUnavailable, match=f"reached at http://127.0.0.1:{port}/v1"):
        await model.complete(ask("x"))


async def test_what_json_cannot_say_is_refused_before_it_is_sent(scripted: Scripted) -> None:
    model, server = await scripted()
    messages: Any = [{"role": "user", "content": "\ud800"}]
    with pytest.raises(RequestRefused, match="not JSON"):
        await model.complete(ModelRequest(messages))
    assert server.counters.requests == 0


async def test_the_key_is_cut_out_of_what_the_provider_says(scripted: Scripted, ask: Ask) -> None:
    model, _ = await scripted({"api_key": "sk-mine-42"}, api_key="sk-other")
    with pytest.raises(RequestRefused) as raised:
        await model.complete(ask("x"))
    assert "sk-mine-42" not in str(raised.value)
    assert "Incorrect API key provided: [key]" in str(raised.value)


async def test_connections_are_kept_and_a_dead_one_is_not_used_again(
    gateway: Gateway, provider: Callable[..., str], ask: Ask
) -> None:
    ports: list[int] = []
    body = http('{"choices": [{"message": {"content": "ok"}}]}')

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):  # then it hangs up
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            ports.append(writer.get_extra_info("peername")[1])
            writer.write(body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    model = gateway.model(f"{provider(base_url=f'http://127.0.0.1:{port}/v1')}/x")
    for _ in range(4):
        await model.complete(ask("x"))
        await asyncio.sleep(0.02)  # long enough to hear of the hang-up
    server.close()
    assert ports[0] == ports[1] != ports[2] == ports[3]


async def test_remote_hosts_go_through_the_proxy_of_the_environment(
    gateway: Gateway,
    provider: Callable[..., str],
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ScriptedModelServer(answer="by proxy") as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        model = gateway.model(f"{provider(base_url='http://models.example/v1')}/x")
        assert (await model.complete(ask("x"))).text == "by proxy"
        assert proxy.last_headers["Host"] == "models.example"
