"""What is sent again, what is not, and what errors say."""

import io
import json
import logging
import socket
import time
from uuid import uuid4

import httpx2
import pytest
from tests.client.conftest import Connect
from tests.client.scripted import CUT, answer, scripted
from tests.events.served import Server

from assay.client import (
    AsyncClient,
    BrokenDownload,
    Client,
    ClientError,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    ServerUnavailable,
    TooMany,
    Unauthorized,
)
from assay.core.errors import AssayError, FieldFault
from assay.identity.actor import Role, Scope

NOW = "2026-11-26T12:00:00Z"
PROJECT = answer(
    200,
    json.dumps(
        {
            "id": str(uuid4()),
            "name": "P",
            "description": None,
            "created_at": NOW,
            "updated_at": NOW,
            "counts": {},
        }
    ),
)
SOON = {"Retry_After": "0"}


@pytest.mark.parametrize("fault", [CUT, *(answer(code, **SOON) for code in (429, 502, 503, 504))])
async def test_reads_are_made_again(connect: Connect, fault: str) -> None:
    async with scripted(fault, fault, PROJECT) as server:
        assert (await connect(server.url).projects.get(uuid4())).name == "P"
        assert len(server.asked) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 413, 422, 500])
async def test_answers_that_will_not_change_are_taken(connect: Connect, code: int) -> None:
    async with scripted(answer(code, **SOON)) as server:
        with pytest.raises(ClientError) as caught:
            await connect(server.url).projects.get(uuid4())
        assert caught.value.status == code
        assert len(server.asked) == 1


@pytest.mark.parametrize("fault", [CUT, answer(503, **SOON)])
async def test_a_post_is_made_again_only_with_a_key(connect: Connect, fault: str) -> None:
    async with scripted(fault) as server:
        client = connect(server.url, retries=1)
        with pytest.raises(ServerUnavailable):
            await client.projects.create("P")
        assert len(server.asked) == 1
        with pytest.raises(ServerUnavailable):
            await client.runs.start(uuid4(), uuid4(), ["builtin/echo"])
        first, again = server.asked[1:]
        assert "idempotency-key" in first.lower()
        assert first == again


async def test_retries_end(connect: Connect) -> None:
    async with scripted(answer(429, **SOON)) as server:
        with pytest.raises(TooMany):
            await connect(server.url, retries=2).projects.get(uuid4())
        assert len(server.asked) == 3
        with pytest.raises(TooMany):
            await connect(server.url, retries=0).projects.get(uuid4())
        assert len(server.asked) == 4


async def test_a_server_is_left_alone_for_as_long_as_it_says(connect: Connect) -> None:
    async with scripted(answer(503, Retry_After="1"), PROJECT) as server:
        started = time.monotonic()
        await connect(server.url).projects.get(uuid4())
        assert time.monotonic() - started >= 1
    async with scripted(answer(503, Retry_After="3600")) as server:
        with pytest.raises(ServerUnavailable) as caught:
            await connect(server.url).projects.get(uuid4())
        assert caught.value.retry_after == 3600
        assert len(server.asked) == 1


async def test_a_delete_whose_answer_was_lost_has_been_done(connect: Connect) -> None:
    async with scripted(CUT, answer(404)) as server:
        await connect(server.url).projects.delete(uuid4())
    async with scripted(answer(404)) as server:
        with pytest.raises(NotFound):
            await connect(server.url).projects.delete(uuid4())


async def test_nobody_is_there(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = connect(f"http://127.0.0.1:{port}", retries=1)
    with pytest.raises(
        ServerUnavailable, match=f"http://127.0.0.1:{port} does not answer"
    ) as caught:
        await client.projects.create("P")
    assert caught.value.code == "no_answer"


async def test_what_is_not_assay_is_said_to_be_so(connect: Connect) -> None:
    async with scripted(answer(502, "<h1>Bad gateway</h1>")) as server:
        with pytest.raises(ServerUnavailable, match="not in the way Assay does"):
            await connect(server.url, retries=0).projects.get(uuid4())
    async with scripted(answer(200, '{"name": 3}')) as server:
        with pytest.raises(ClientError, match="ProjectRead has another form") as caught:
            await connect(server.url).projects.get(uuid4())
        assert caught.value.code == "not_understood"
    async with scripted(answer(302, Location="http://127.0.0.1:1/")) as server:
        with pytest.raises(ClientError, match="302"):
            await connect(server.url).projects.get(uuid4())


async def test_a_problem_says_all_that_the_server_said(connect: Connect) -> None:
    fault = {"place": "body.value", "message": "too long", "pointer": "/city"}
    problem = {"title": "?", "status": 422, "detail": "No.", "code": "off_schema"}
    body = json.dumps({**problem, "errors": [fault], "request_id": "abc"})
    async with scripted(answer(422, body)) as server:
        with pytest.raises(Invalid) as caught:
            await connect(server.url).projects.get(uuid4())
    error = caught.value
    assert (error.detail, error.code, error.request_id) == ("No.", "off_schema", "abc")
    assert error.errors == [FieldFault("body.value", "too long", "/city")]
    assert isinstance(error, AssayError)


async def test_a_download_that_is_not_what_was_stored(connect: Connect) -> None:
    async with scripted(answer(200, "other bytes", ETag='"00"')) as server:
        with pytest.raises(BrokenDownload):
            await connect(server.url).files.download(uuid4(), io.BytesIO())


async def test_the_key_says_who_asks(connect: Connect, guarded: Server) -> None:
    person = await guarded.installation.person(Role.editor)
    key = await guarded.installation.key(person, Scope.playground_read)
    reader = connect(guarded.url, api_key=f" {key}\n")
    assert [each async for each in reader.projects.list()] == []
    with pytest.raises(Forbidden):
        await reader.projects.create("P")
    for given_key in ("", "assay_wrong"):
        with pytest.raises(Unauthorized):
            await connect(guarded.url, api_key=given_key).projects.create("P")


async def test_the_environment_says_where_and_who(
    guarded: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    admin = await guarded.installation.person(Role.admin)
    key = await guarded.installation.key(admin, Scope.playground_write)
    monkeypatch.setenv("ASSAY_URL", guarded.url + "/")
    monkeypatch.setenv("ASSAY_API_KEY", key)
    with caplog.at_level(logging.DEBUG):
        async with AsyncClient() as client:
            await client.projects.create("P")
            assert client.url == guarded.url
            assert repr(client) == f"AsyncClient({guarded.url!r})"
    assert key not in caplog.text


async def test_an_application_can_be_asked_without_a_server(client: httpx2.AsyncClient) -> None:
    async with AsyncClient("http://localhost", transport=client._transport) as assay:
        project = await assay.projects.create("P")
        assert (await assay.projects.get(project.id)).name == "P"


@pytest.mark.parametrize(
    "url", ["localhost:8721", "ftp://a", "http://", "http://a/?b=c", "http://["]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="no address"):
        Client(url)


@pytest.mark.parametrize("key", ["sécret", "sec ret", "sec\nret"])
def test_what_is_no_key_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Client(api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_no_id_leads_elsewhere(part: str) -> None:
    with Client() as client, pytest.raises(Misconfigured):
        client.projects.get(part)


async def test_ids_are_quoted(connect: Connect) -> None:
    async with scripted(PROJECT) as server:
        await connect(server.url).projects.get("../a?b")
        assert server.asked[0].startswith("GET /api/v1/projects/..%2Fa%3Fb HTTP")
