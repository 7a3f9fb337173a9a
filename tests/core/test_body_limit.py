"""Bodies of requests that are refused are not read at all."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from tests.identity.people import Installation, installed

from assay.core.config import Settings
from assay.identity.actor import Role

LIMIT = 2048
TOO_LONG = {"Content-Length": str(LIMIT + 1), "Content-Type": "application/json"}


async def never() -> AsyncIterator[bytes]:
    raise AssertionError("the body was read")
    yield b""


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Any]
) -> AsyncIterator[Installation]:
    changes = {
        "database_url": await new_database_dsn(),
        "max_body_bytes": LIMIT,
    }
    async with installed(settings, **changes) as installation:
        await installation.user(Role.admin)
        yield installation


async def post(client: httpx2.AsyncClient, path: str, **headers: str) -> int:
    response = await client.post(path, content=never(), headers=headers)
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code


async def test_of_somebody_unknown_no_body_is_read(installation: Installation) -> None:
    client = await installation.client()
    wrong = await installation.client(Authorization="Bearer ask_wrong")
    for length in ("10", str(LIMIT + 1)):
        for path in ("/api/v1/projects", "/nowhere"):
            assert await post(client, path, **{"Content-Length": length}) == 401
            assert await post(wrong, path, **{"Content-Length": length}) == 401


async def test_a_body_that_is_too_long_for_a_public_path_is_not_read(
    installation: Installation,
) -> None:
    client = await installation.client()
    assert await post(client, "/api/v1/auth/login", **TOO_LONG) == 413


async def test_a_body_that_is_too_long_is_not_read_of_those_who_are_known_either(
    installation: Installation,
) -> None:
    admin = await installation.person(Role.admin)
    assert await post(admin.client, "/api/v1/projects", **TOO_LONG) == 413


async def test_a_foreign_page_gets_no_body_read(installation: Installation) -> None:
    _, email = await installation.user(Role.admin)
    client = await installation.log_in(email)
    origin = {"Origin": "https://evil.example", "Content-Length": "10"}
    for path in ("/api/v1/projects", "/api/v1/auth/login"):
        assert await post(client, path, **origin) == 403
