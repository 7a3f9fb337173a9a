"""What every answer tells a browser."""

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from assay.core.security_headers import HSTS, SecurityHeaders


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/api/v1/projects", 200),
        ("GET", "/docs", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/api/v1/projects", 405),
        ("POST", "/api/v1/projects", 422),
    ],
)
async def test_each_answer_has_them(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    headers = response.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers
    for name in ("content-security-policy", "cache-control", "x-frame-options"):
        assert len(headers.get_list(name)) == 1


async def test_answers_that_are_refused_early_have_them_too(client: httpx2.AsyncClient) -> None:
    foreign = await client.post(
        "/api/v1/projects", json={"name": "x"}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    assert foreign.headers["x-frame-options"] == "DENY"
    preflight = await client.options(
        "/api/v1/projects",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"},
    )
    assert preflight.status_code == 400
    assert preflight.headers["x-frame-options"] == "DENY"


async def test_only_the_page_of_the_documentation_may_run_programs(
    client: httpx2.AsyncClient,
) -> None:
    policies = {
        path: (await client.get(path)).headers["content-security-policy"]
        for path in ("/docs", "/openapi.json", "/docs/", "/health")
    }
    assert "script-src 'unsafe-inline' https://cdn.jsdelivr.net;" in policies.pop("/docs")
    for policy in policies.values():
        assert policy.startswith("default-src 'none';")
        assert "script-src" not in policy


@pytest.mark.parametrize(("scheme", "told"), [("https", HSTS), ("http", None)])
async def test_over_https_browsers_are_told_to_stay_there(scheme: str, told: str | None) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"cache-control", b"max-age=60"), (b"content-security-policy", b"own")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx2.ASGITransport(app=SecurityHeaders(app))
    async with httpx2.AsyncClient(transport=transport, base_url=f"{scheme}://localhost") as client:
        headers = (await client.get("/")).headers
    assert headers.get("strict-transport-security") == told
    assert headers["cache-control"] == "max-age=60", "what the answer says itself stays"
    assert headers["content-security-policy"] == "own"
