"""What Prometheus is told."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.identity.people import Installation, installed

from assay.core.config import Settings
from assay.identity.actor import Role, Scope

Samples = dict[tuple[str, ...], float]


async def read(client: httpx2.AsyncClient) -> Samples:
    """Values by the name of the metric and its labels."""
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *(str(value) for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def added(client: httpx2.AsyncClient, ask: Callable[[], Any]) -> dict[tuple[str, ...], float]:
    """By how much requests were counted up, beside that for the metrics."""
    before = await read(client)
    await ask()
    after = await read(client)
    return {
        key[1:]: after[key] - before.get(key, 0)
        for key in after
        if key[0] == "assay_http_requests_total"
        and after[key] != before.get(key, 0)
        and "/metrics" not in key
    }


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/health", "/health"),
        ("GET", "/api/v1/projects/{id}", "/api/v1/projects/{project_id}"),
        ("GET", "/api/v1/projects/{id}/members", "/api/v1/projects/{project_id}/members"),
        (
            "DELETE",
            "/api/v1/projects/{id}/members/{id}",
            "/api/v1/projects/{project_id}/members/{user_id}",
        ),
        ("GET", "/api/v1/projects/{id}/use-cases", "/api/v1/projects/{project_id}/use-cases"),
        ("GET", "/api/v1/eval-runs/{id}/results", "/api/v1/eval-runs/{run_id}/results"),
        ("DELETE", "/api/v1/providers/none-{id}", "/api/v1/providers/{name}"),
        ("GET", "/api/v1/keys/{id}", "/api/v1/keys/{key_id}"),
        ("GET", "/api/v1/users/{id}", "/api/v1/users/{user_id}"),
    ],
)
async def test_requests_are_counted_by_their_route(
    client: httpx2.AsyncClient, method: str, path: str, route: str
) -> None:
    statuses = []

    async def ask() -> None:
        for _ in range(2):
            response = await client.request(method, path.replace("{id}", str(uuid4())))
            statuses.append(str(response.status_code))

    counted = await added(client, ask)
    assert counted == {(method, route, statuses[0]): 2.0}
    samples = await read(client)
    assert samples["assay_http_request_seconds_count", method, route] >= 2


async def test_paths_and_methods_that_there_are_not_make_no_series(
    client: httpx2.AsyncClient,
) -> None:
    async def ask() -> None:
        for number in range(5):
            await client.get(f"/nowhere/{number}")
            await client.get(f"/api/v1/projects/{uuid4()}/nothing/{number}")
            await client.request(f"BREW{number}", "/health")

    counted = await added(client, ask)
    assert len(counted) <= 3
    assert counted["GET", "none", "404"] == 10
    assert sum(counted.values()) == 15
    assert not any("BREW" in label or "nowhere" in label for key in counted for label in key)


async def test_a_request_that_is_refused_before_its_route_is_known_is_counted(
    client: httpx2.AsyncClient,
) -> None:
    async def ask() -> None:
        await client.post("/api/v1/projects", headers={"Origin": "https://evil.example"})

    assert await added(client, ask) == {("POST", "none", "403"): 1.0}


async def test_nothing_stays_in_progress(client: httpx2.AsyncClient) -> None:
    samples = await read(client)
    assert samples["assay_http_requests_in_progress",] == 1, "the one that asks"


@pytest.fixture
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Any], tmp_path: Path
) -> AsyncIterator[Installation]:
    changes = {"database_url": await new_database_dsn(), "assay_home": tmp_path}
    async with installed(settings, **changes) as installation:
        yield installation


async def test_it_takes_an_admin_or_a_key_for_it(installation: Installation) -> None:
    admin, editor = [await installation.person(role) for role in (Role.admin, Role.editor)]
    for client, status in (
        (await installation.client(), 401),
        (editor.client, 403),
        (await installation.with_key(admin, Scope.playground_write), 403),
        (await installation.with_key(admin, Scope.metrics_read), 200),
        (admin.client, 200),
    ):
        response = await client.get("/metrics")
        assert response.status_code == status
        assert ("assay_http_requests_total" in response.text) == (status == 200)
