"""What every request passes: its id, the limit on bodies, compression, other origins."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from tests.core.conftest import Serve

LIMIT = 4096
OWN_ORIGIN = "http://localhost:3000"
FOREIGN_ORIGIN = "http://localhost:3001"


@pytest.fixture
def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/text")
    async def text(size: int) -> str:
        return "x" * size

    @router.post("/json")
    async def json(body: list[str]) -> int:
        return len(body)

    @router.post("/raw")
    async def raw(request: Request) -> int:
        return sum([len(part) async for part in request.stream()])

    @router.get("/broken")
    async def broken() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield "first"
            raise RuntimeError("half way")

        return StreamingResponse(parts())

    return router


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd8448eb211c80319c", "a.b-c_d", "x" * 128])
async def test_a_safe_request_id_is_taken_over(serve: Serve, given: str) -> None:
    response = await (await serve()).get("/health", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a;b", "<script>", "a\tb", "ä"])
async def test_any_other_request_id_is_replaced(serve: Serve, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given.encode("latin-1")}
    response = await (await serve()).get("/health", headers=headers)  # type: ignore[arg-type]  # bytes do as well
    assert UUID(response.headers["x-request-id"]).version == 7


async def test_each_request_has_an_id_of_its_own(serve: Serve) -> None:
    client = await serve()
    ids = {(await client.get("/health")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/health", 405),
        ("GET", "/api/v1/projects/no-id", 422),
        ("GET", "/text?size=-", 422),
    ],
)
async def test_errors_carry_the_id_too(
    serve: Serve, routes: APIRouter, method: str, path: str, status: int
) -> None:
    client = await serve(routes)
    response = await client.request(method, path, headers={"X-Request-ID": "mine"})
    assert response.status_code == status
    assert response.headers["x-request-id"] == response.json()["request_id"] == "mine"


async def in_parts(size: int) -> AsyncIterator[bytes]:
    """A body without a declared length: `["xx...x"]` in small pieces."""
    body = b'["' + b"x" * (size - 4) + b'"]'
    for start in range(0, size, 1000):
        yield body[start : start + 1000]


def is_too_large(response: httpx2.Response) -> bool:
    if response.status_code != 413:
        return False
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (body["code"], body["status"]) == ("too_large", 413)
    assert str(LIMIT) in body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return True


@pytest.mark.parametrize("path", ["/json", "/raw"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in parts"])
async def test_a_body_up_to_the_limit_and_no_larger(
    serve: Serve, routes: APIRouter, path: str, declared: bool
) -> None:
    client = await serve(routes, max_body_bytes=LIMIT)
    for size, refused in ((LIMIT, False), (LIMIT + 1, True), (10 * LIMIT, True)):
        parts = in_parts(size)
        content = b"".join([part async for part in parts]) if declared else parts
        headers = {"Content-Type": "application/json"}
        response = await client.post(path, content=content, headers=headers)
        assert is_too_large(response) == refused
        assert refused or response.status_code == 200


async def test_a_declared_length_is_refused_before_the_body_comes(
    serve: Serve, routes: APIRouter
) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    client = await serve(routes, max_body_bytes=LIMIT)
    headers = {"Content-Length": str(10**12), "Origin": OWN_ORIGIN}
    response = await client.post("/raw", content=never(), headers=headers)
    assert is_too_large(response)
    assert response.headers["access-control-allow-origin"] == OWN_ORIGIN


async def test_a_declared_length_that_lies(serve: Serve, routes: APIRouter) -> None:
    client = await serve(routes, max_body_bytes=LIMIT)
    headers = {"Content-Length": "10", "Content-Type": "application/json"}
    response = await client.post("/json", content=in_parts(2 * LIMIT), headers=headers)
    assert is_too_large(response)


@pytest.mark.parametrize(("size", "packed"), [(5000, True), (100, False)])
async def test_long_answers_are_compressed(
    serve: Serve, routes: APIRouter, size: int, packed: bool
) -> None:
    client = await serve(routes)
    response = await client.get(f"/text?size={size}", headers={"Accept-Encoding": "gzip"})
    assert response.headers.get("content-encoding") == ("gzip" if packed else None)
    assert response.json() == "x" * size
    plain = await client.get(f"/text?size={size}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


async def test_an_answer_that_breaks_off_is_not_mended(serve: Serve, routes: APIRouter) -> None:
    """Its head is sent already; the server has to see the error and close the connection."""
    app = (await serve(routes))._transport.app  # type: ignore[attr-defined]  # to see errors
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with pytest.raises(RuntimeError, match="half way"):
            await client.get("/broken")


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type,x-request-id",
    }


async def test_an_allowed_origin_may_do_everything(serve: Serve) -> None:
    client = await serve(cors_origins=(OWN_ORIGIN,))
    asked = await client.options("/api/v1/projects", headers=preflight(OWN_ORIGIN))
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == OWN_ORIGIN
    assert asked.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    answer = await client.get("/health", headers={"Origin": OWN_ORIGIN})
    assert answer.headers["access-control-allow-origin"] == OWN_ORIGIN
    exposed = answer.headers["access-control-expose-headers"]
    assert {"Link", "X-Request-ID", "X-Total-Count"} <= set(exposed.split(", "))


@pytest.mark.parametrize("origin", [FOREIGN_ORIGIN, "https://localhost:3000", "null"])
async def test_a_foreign_origin_is_told_nothing(serve: Serve, origin: str) -> None:
    client = await serve(cors_origins=(OWN_ORIGIN,))
    asked = await client.options("/api/v1/projects", headers=preflight(origin))
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers
    answer = await client.get("/health", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
