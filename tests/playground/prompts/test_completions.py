"""Completions over HTTP, of models that a script plays."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from tests.identity.people import installed
from tests.playground.conftest import Factory

from assay.core.config import Settings
from assay.identity.actor import Role, Scope
from assay.testing.scripted_model import ScriptedModelServer

Row = dict[str, Any]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A scripted model server under a provider name of its own."""

    @asynccontextmanager
    async def start(**script: Any) -> AsyncIterator[tuple[str, ScriptedModelServer]]:
        async with ScriptedModelServer(**script) as server:
            name = f"scripted{uuid4().hex[:8]}"
            monkeypatch.setitem(os.environ, f"{name.upper()}_BASE_URL", server.base_url)
            yield f"{name}/model", server

    return start


async def events(client: httpx2.AsyncClient, version_id: str, body: Row) -> list[Row]:
    """The events of a completion."""
    response = await client.post(f"/api/v1/prompt-versions/{version_id}/complete", json=body)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


async def test_an_answer_comes_piece_by_piece(
    make: Factory, client: httpx2.AsyncClient, scripted: Any
) -> None:
    version = await make.version(
        type="text",
        template_text="Sort {{ message }}",
        model_defaults={"temperature": 1, "seed": 3},
    )
    async with scripted() as (model, server):
        body = {
            "variables": {"message": "this or that"},
            "model": model,
            "parameters": {"temperature": 0},
        }
        *deltas, last = await events(client, version["id"], body)
    assert server.last_request["messages"] == [{"role": "user", "content": "Sort this or that"}]
    assert (server.last_request["temperature"], server.last_request["seed"]) == (0, 3)
    assert len(deltas) > 1
    assert "".join(event["delta"] for event in deltas) == "Sort this or that"
    done = last["done"]
    assert done["output"] == "Sort this or that"
    assert done["usage"]["tokens_in"] > 0
    assert done["usage"]["tokens_out"] > 0
    assert 0 < done["first_token_ms"] <= done["latency_ms"]
    assert done["finish_reason"] == "stop"
    assert done["output_json"] is None
    assert done["cost"] is None or done["cost"] >= 0


async def test_an_answer_at_once(make: Factory, client: httpx2.AsyncClient, scripted: Any) -> None:
    version = await make.version(type="text", template_text="Give JSON")
    async with scripted(answer='{"label": "ä"}') as (model, server):
        body = {"model": model, "stream": False, "output_schema": {"type": "object"}}
        answer = await make.call("POST", f"/prompt-versions/{version['id']}/complete", 200, body)
    assert "stream" not in server.last_request
    assert answer["output_json"] == {"label": "ä"}
    assert answer["first_token_ms"] is None
    assert answer["latency_ms"] > 0
    builtin = {"model": "builtin/echo", "stream": False}
    answer = await make.call("POST", f"/prompt-versions/{version['id']}/complete", 200, builtin)
    assert (answer["output"], answer["cost"]) == ("Give JSON", 0.0)


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_wrong_before_the_first_piece_is_a_problem(
    make: Factory, scripted: Any, stream: bool
) -> None:
    version = await make.version(type="text", template_text="{{ a }} {% for x in b %}{% endfor %}")
    path = f"/prompt-versions/{version['id']}/complete"

    async def problem(status: int, model: str = "builtin/echo", **variables: Any) -> Row:
        body = {"model": model, "variables": variables, "stream": stream}
        answer: Row = await make.call("POST", path, status, body)
        return answer

    assert (await problem(422, "builtin/nothing"))["code"] == "unknown_model"
    unknown = await problem(422, "nobody/model")
    assert unknown["code"] == "unknown_provider"
    assert unknown["errors"][0]["place"] == "body.model"
    missing = await problem(422, b=[])
    assert [fault["place"] for fault in missing["errors"]] == ["body.variables.a"]
    wrong = await problem(422, a=1, b=5)
    assert wrong["code"] == "variables"
    assert wrong["errors"][0]["place"] == "body.variables.b"
    good = {"a": 1, "b": []}
    async with scripted(rate_malformed=1.0) as (model, _):
        # A stream of nothing that is an event is one that was broken off.
        assert (await problem(503 if stream else 502, model, **good))["errors"] == []
    async with scripted(rate_500=1.0) as (model, server):
        assert (await problem(503, model, **good))["code"] == "model_unavailable"
        assert server.counters.requests == 3, "nobody waits for more attempts"
    async with scripted(api_key="other") as (model, _):
        assert (await problem(422, model, **good))["code"] == "request_refused"
    await make.call("POST", f"/prompt-versions/{uuid4()}/complete", 404, {"model": "builtin/echo"})


async def test_an_error_in_the_middle_is_the_last_event(
    make: Factory, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        chunk = {"choices": [{"delta": {"content": "half"}}]}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        writer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        await writer.drain()
        writer.close()

    version = await make.version(type="text", template_text="Hello")
    async with await asyncio.start_server(broken, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setitem(os.environ, "HALFWAY_BASE_URL", f"http://127.0.0.1:{port}/v1")
        *deltas, last = await events(client, version["id"], {"model": "halfway/model"})
    assert deltas == [{"delta": "half"}]
    assert last["error"]["status"] == 503
    assert last["error"]["code"] == "model_unavailable"
    assert "broke its answer off" in last["error"]["detail"]


@pytest.mark.parametrize("stream", [True, False])
async def test_who_hangs_up_ends_the_call_and_nobody_holds_a_connection(
    make: Factory, app: FastAPI, scripted: Any, stream: bool
) -> None:
    version = await make.version(type="text", template_text="Hello")
    hang_up = asyncio.Event()
    sent: list[Any] = []
    async with scripted(latency=60) as (model, server):
        body = json.dumps({"model": model, "stream": stream}).encode()

        async def receive() -> Row:
            if not sent:
                sent.append("body")
                return {"type": "http.request", "body": body, "more_body": False}
            await hang_up.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": (path := f"/api/v1/prompt-versions/{version['id']}/complete"),
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 50000),
            "server": ("localhost", 80),
        }
        request = asyncio.create_task(app(scope, receive, send))
        async with asyncio.timeout(10):
            while not server.counters.in_flight:
                await asyncio.sleep(0.01)
            # The event feed may just be reading; the call itself lasts longer than is waited here.
            while app.state.database.engine.sync_engine.pool.checkedout():
                await asyncio.sleep(0.01)
            hang_up.set()
            await request
            while server.counters.in_flight:
                await asyncio.sleep(0.01)
    assert sent == ["body"], "there was nobody to send anything to"


async def test_it_takes_an_editor_and_a_key_for_writing(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> None:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        admin = await installation.person(Role.admin)
        make = Factory(admin.client, installation.database)
        use_case = await make.use_case()
        prompt = await make.prompt(use_case["id"])
        version = await make.version(prompt["id"], type="text", template_text="Hello")
        path = f"/api/v1/prompt-versions/{version['id']}/complete"
        body = {"model": "builtin/echo"}
        editor, reviewer = [await installation.person(r) for r in (Role.editor, Role.reviewer)]
        assert (await editor.client.post(path, json=body)).status_code == 404
        for person in (editor, reviewer):
            await installation.share(admin, use_case["project_id"], person, Role.editor)
        assert (await editor.client.post(path, json=body)).status_code == 200
        assert (await reviewer.client.post(path, json=body)).status_code == 403
        reading = await installation.with_key(editor, Scope.playground_read)
        assert (await reading.post(path, json=body)).status_code == 403
        writing = await installation.with_key(editor, Scope.playground_write)
        assert (await writing.post(path, json=body)).status_code == 200
        cookies = await installation.log_in((await installation.user(Role.admin))[1])
        assert (await cookies.post(path, json=body)).status_code == 200
        elsewhere = {"Origin": "https://evil.example"}
        assert (await cookies.post(path, json=body, headers=elsewhere)).status_code == 403
