"""Whatever goes wrong in a request is answered with a problem document and nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from tests.core.conftest import Serve

from assay.core import errors
from assay.core.database import Database, Session
from assay.core.errors import FieldFault
from assay.gateway.errors import RateLimited

SECRET = "the inner workings"


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a response, which has to be a whole one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body.keys() == {"type", "title", "status", "detail", "code", "errors", "request_id"}
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def raising(error: BaseException) -> APIRouter:
    router = APIRouter()

    @router.get("/probe")
    async def probe() -> None:
        raise error

    return router


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Invalid(), 422, "invalid"),
        (errors.NotFound(), 404, "not_found"),
        (errors.Conflict(), 409, "conflict"),
        (errors.TooLarge(), 413, "too_large"),
        (errors.TooMany(), 429, "too_many"),
        (errors.Unavailable(), 503, "unavailable"),
        (errors.SetupError(), 500, "setup"),
        (errors.AssayError(), 500, "internal"),
    ],
)
async def test_every_kind_of_error(
    serve: Serve, error: errors.AssayError, status: int, code: str
) -> None:
    client = await serve(raising(error))
    body = problem(await client.get("/probe"), status, code)
    assert body["detail"] == error.detail
    assert body["errors"] == []


async def test_message_and_faults_come_through(serve: Serve) -> None:
    faults = [FieldFault("body.items[3].input", "lacks {message}")]
    client = await serve(raising(errors.Invalid("Some do not fit", errors=faults)))
    body = problem(await client.get("/probe"), 422, "invalid")
    assert body["detail"] == "Some do not fit"
    assert body["errors"] == [{"place": "body.items[3].input", "message": "lacks {message}"}]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.TooMany(), "1"),
        (errors.TooMany(retry_after=2.1), "3"),
        (errors.Unavailable(), "1"),
        (RateLimited(retry_after=7.2), "8"),
        (RateLimited(), "1"),
        (errors.Conflict(), None),
    ],
)
async def test_when_to_ask_again(
    serve: Serve, error: errors.AssayError, seconds: str | None
) -> None:
    response = await (await serve(raising(error))).get("/probe")
    assert response.headers.get("retry-after") == seconds


async def test_an_error_of_the_web_framework(serve: Serve) -> None:
    error = HTTPException(401, "Sign in first", headers={"WWW-Authenticate": "Bearer"})
    response = await (await serve(raising(error))).get("/probe")
    assert problem(response, 401, "unauthorized")["detail"] == "Sign in first"
    assert response.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_path(serve: Serve) -> None:
    body = problem(await (await serve()).get("/api/v1/teapots"), 404, "not_found")
    assert "/api/v1/teapots" in body["detail"]


async def test_a_method_that_a_path_does_not_take(serve: Serve) -> None:
    response = await (await serve()).delete("/health")
    body = problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET"
    assert body["detail"] == "/health does not take DELETE, only GET."


class Inner(BaseModel):
    number: int = Field(ge=1)


class Outer(BaseModel):
    inner: list[Inner]


@pytest.fixture
def taking() -> APIRouter:
    """A route that takes a body and a query."""
    router = APIRouter()

    @router.post("/probe")
    async def probe(body: Outer, size: int = 1) -> Outer:
        return body

    return router


async def test_each_fault_of_an_input_has_its_place(serve: Serve, taking: APIRouter) -> None:
    client = await serve(taking)
    sent = {"inner": [{"number": 1}, {"number": "x"}, {}]}
    response = await client.post("/probe", params={"size": "big"}, json=sent)
    body = problem(response, 422, "invalid")
    assert [fault["place"] for fault in body["errors"]] == [
        "query.size",
        "body.inner[1].number",
        "body.inner[2].number",
    ]
    assert all(fault["message"] for fault in body["errors"])
    assert "query.size" in body["detail"]


@pytest.mark.parametrize("sent", [b"", b"null", b"[]", b"7", b'"text"'])
async def test_a_body_of_another_shape(serve: Serve, taking: APIRouter, sent: bytes) -> None:
    client = await serve(taking)
    headers = {"Content-Type": "application/json"}
    body = problem(await client.post("/probe", content=sent, headers=headers), 422, "invalid")
    assert [fault["place"] for fault in body["errors"]] == ["body"]


@pytest.mark.parametrize(("sent", "character"), [(b'{"inner": [}', 11), (b"{", 1), (b"\x00", 0)])
async def test_malformed_json(serve: Serve, taking: APIRouter, sent: bytes, character: int) -> None:
    client = await serve(taking)
    headers = {"Content-Type": "application/json"}
    body = problem(await client.post("/probe", content=sent, headers=headers), 422, "invalid")
    [fault] = body["errors"]
    assert fault["place"] == "body"
    assert f"at character {character}" in fault["message"]


@pytest.mark.parametrize("sent", [b'{"inner": "\xff"}', b"[" * 100_000])
async def test_a_body_that_cannot_be_read(serve: Serve, taking: APIRouter, sent: bytes) -> None:
    client = await serve(taking)
    headers = {"Content-Type": "application/json"}
    body = problem(await client.post("/probe", content=sent, headers=headers), 422, "invalid")
    assert [fault["place"] for fault in body["errors"]] == ["body"]


async def test_json_under_another_name_is_told_its_right_one(
    serve: Serve, taking: APIRouter
) -> None:
    client = await serve(taking)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await client.post("/probe", content=json.dumps({"inner": []}), headers=headers)
    assert "Content-Type: application/json" in problem(response, 422, "invalid")["detail"]


async def test_an_unforeseen_error_shows_nothing_of_itself(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(raising(RuntimeError(SECRET)))
    response = await client.get("/probe", headers={"X-Request-ID": "abc-1"})
    body = problem(response, 500, "internal")
    assert body["request_id"] == "abc-1"
    assert SECRET not in response.text
    assert "Traceback" not in response.text
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info
    assert str(record.exc_info[1]) == SECRET


async def test_an_unforeseen_error_is_readable_for_a_browser(serve: Serve) -> None:
    client = await serve(raising(RuntimeError(SECRET)))
    response = await client.get("/probe", headers={"Origin": "http://localhost:5173"})
    problem(response, 500, "internal")
    assert response.headers["access-control-allow-origin"] == "http://localhost:5173"


@pytest.fixture
async def own_table(own_database: Database) -> Database:
    """A database with a table whose rows must have a parent, which is checked at commit."""
    async with own_database.connection() as connection:
        await connection.execute(
            "CREATE TABLE tree (id int PRIMARY KEY,"
            " parent int REFERENCES tree DEFERRABLE INITIALLY DEFERRED)"
        )
    return own_database


async def rows(database: Database) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM tree"))


def inserting(parent: int | None, error: Exception | None = None) -> APIRouter:
    router = APIRouter()

    @router.post("/probe", status_code=201)
    async def probe(session: Session) -> str:
        await session.execute(text("INSERT INTO tree VALUES (1, :parent)"), {"parent": parent})
        if error:
            raise error
        return "made"

    return router


async def test_a_request_commits_what_it_did(serve: Serve, own_table: Database) -> None:
    client = await serve(inserting(parent=None), on=own_table)
    assert (await client.post("/probe")).status_code == 201
    assert await rows(own_table) == 1


@pytest.mark.parametrize("error", [errors.Conflict(), RuntimeError(SECRET), HTTPException(404)])
async def test_nothing_is_committed_when_a_request_fails(
    serve: Serve, own_table: Database, error: Exception
) -> None:
    client = await serve(inserting(None, error), on=own_table)
    assert (await client.post("/probe")).status_code in (409, 500, 404)
    assert await rows(own_table) == 0


async def test_a_commit_that_fails_is_not_answered_with_success(
    serve: Serve, own_table: Database
) -> None:
    client = await serve(inserting(parent=7), on=own_table)
    response = await client.post("/probe")
    problem(response, 500, "internal")
    assert "tree" not in response.text
    assert await rows(own_table) == 0


async def test_a_value_that_cannot_be_sent_is_not_committed(
    serve: Serve, own_table: Database
) -> None:
    router = APIRouter()

    @router.post("/probe")
    async def probe(session: Session) -> dict[str, int]:
        await session.execute(text("INSERT INTO tree VALUES (1, NULL)"))
        return {"number": SECRET}  # type: ignore[dict-item]  # what is to be refused

    problem(await (await serve(router, on=own_table)).post("/probe"), 500, "internal")
    assert await rows(own_table) == 0


async def test_a_database_that_is_gone(serve: Serve) -> None:
    gone = Database("postgresql://u:pass-word@127.0.0.1:1/assay")
    response = await (await serve(on=gone)).get("/api/v1/projects")
    body = problem(response, 503, "unavailable")
    assert "database" in body["detail"]
    assert response.headers["retry-after"] == "1"
    await gone.dispose()


@pytest.fixture
async def starting_database() -> AsyncIterator[Database]:
    """What a PostgreSQL says that is not up yet, after a crash for example."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(size - 4)
        fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(f"postgresql://u@127.0.0.1:{port}/assay?sslmode=disable")
        yield database
        await database.dispose()


async def test_a_database_that_is_not_up_yet(serve: Serve, starting_database: Database) -> None:
    with pytest.raises(asyncpg.CannotConnectNowError):
        await starting_database.connect()
    response = await (await serve(on=starting_database)).get("/api/v1/projects")
    problem(response, 503, "unavailable")


async def test_a_connection_lost_in_the_middle(serve: Serve, own_table: Database) -> None:
    router = APIRouter()

    @router.post("/probe")
    async def probe(session: Session) -> None:
        await session.execute(text("INSERT INTO tree VALUES (1, NULL)"))
        await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    client = await serve(router, on=own_table)
    problem(await client.post("/probe"), 503, "unavailable")
    assert await rows(own_table) == 0


async def test_of_two_that_wait_for_each_other_one_may_try_again(
    serve: Serve, own_table: Database
) -> None:
    router = APIRouter()
    both = asyncio.Barrier(2)

    @router.post("/probe/{first}/{second}")
    async def probe(session: Session, first: int, second: int) -> None:
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        await session.execute(text("INSERT INTO tree VALUES (:id, NULL)"), {"id": first})
        await session.execute(lock, {"key": first})
        await both.wait()
        await session.execute(lock, {"key": second})

    client = await serve(router, on=own_table)
    answers = await asyncio.gather(client.post("/probe/1/2"), client.post("/probe/2/1"))
    [refused] = [each for each in answers if each.status_code != 200]
    assert "nothing was changed" in problem(refused, 503, "unavailable")["detail"]
    assert refused.headers["retry-after"] == "1"
    assert await rows(own_table) == 1


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (asyncpg.DeadlockDetectedError(SECRET), 503, "unavailable"),
        (asyncpg.SerializationError(SECRET), 503, "unavailable"),
        (PoolTimeoutError("QueuePool limit"), 503, "unavailable"),
        (asyncpg.ConnectionDoesNotExistError(SECRET), 503, "unavailable"),
        (asyncpg.AdminShutdownError(SECRET), 503, "unavailable"),
        (IntegrityError(SECRET, None, Exception(SECRET)), 500, "internal"),
        (asyncpg.UniqueViolationError(SECRET), 500, "internal"),
    ],
)
async def test_errors_of_the_database_as_they_reach_a_request(
    serve: Serve, error: Exception, status: int, code: str
) -> None:
    response = await (await serve(raising(error))).get("/probe")
    problem(response, status, code)
    assert SECRET not in response.text
