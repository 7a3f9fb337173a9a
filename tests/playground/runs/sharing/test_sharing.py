"""Links to runs: who has one reads that run, and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select
from tests.identity.people import Installation, Person, installed
from tests.playground.conftest import Factory
from tests.playground.stored_runs import store_run

from assay.core.config import Settings
from assay.core.rate_limit import RateLimit
from assay.identity.actor import Role
from assay.identity.audit.models import AuditEntry
from assay.playground.datasets.models import DatasetItem, ItemRevision
from assay.playground.runs.models import EvalResult, EvalRun

WEEK = {"expires_in": 7 * 86_400}


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation


class World:
    """A run, the admin who made it, and somebody who is not signed in."""

    run_id: str
    item_ids: list[str]
    use_case: dict[str, Any]

    def __init__(self, admin: Person, make: Factory, nobody: httpx2.AsyncClient) -> None:
        self.admin, self.make, self.nobody = admin, make, nobody

    @property
    def path(self) -> str:
        return f"/eval-runs/{self.run_id}/share"

    async def share(self, **body: Any) -> dict[str, Any]:
        link: dict[str, Any] = await self.make.call("POST", self.path, 201, body or WEEK)
        return link

    async def read(self, token: str, more: str = "", status: int = 200) -> Any:
        response = await self.nobody.get(f"/api/v1/shared/{token}{more}")
        assert response.status_code == status, response.text
        return response.json()


@pytest.fixture
async def world(installation: Installation) -> World:
    database = installation.database
    admin = await installation.person(Role.admin)
    make = Factory(admin.client, database)
    world = World(admin, make, await installation.client(address=f"10.0.0.{uuid4().int % 250}"))
    world.use_case = await make.use_case()
    prompt = await make.prompt(world.use_case["id"])
    version = await make.version(prompt["id"])
    dataset = await make.dataset(world.use_case["id"])
    world.item_ids = [item["id"] for item in await make.items(dataset["id"], 3)]
    outcomes = {"builtin/echo": [[True], [False], [True]]}
    world.run_id = await store_run(
        database, version, dataset["id"], world.item_ids, outcomes, name="Shown"
    )
    return world


async def test_whoever_has_the_link_reads_the_run(world: World, installation: Installation) -> None:
    before = datetime.now(UTC)
    link = await world.share(expires_in=3600)
    assert link["url"] == f"http://localhost/api/v1/shared/{link['token']}"
    expires_at = datetime.fromisoformat(link["expires_at"])
    assert abs(expires_at - before - timedelta(hours=1)) < timedelta(minutes=1)
    async with installation.database.session() as session:
        run = await session.get_one(EvalRun, UUID(world.run_id))
        assert run.share_hash is not None
        assert link["token"].encode() not in run.share_hash
        told = await session.scalars(select(AuditEntry.details).filter_by(action="run.shared"))
        assert link["token"] not in str(told.all())
    run_seen = await world.read(link["token"])
    assert (run_seen["name"], run_seen["prompt"], run_seen["dataset"]) == (
        "Shown",
        "Intent",
        "March",
    )
    assert run_seen["models"] == ["builtin/echo"]
    assert run_seen["summary"]["overall"]["passed"] == 2
    assert run_seen["expires_at"] == link["expires_at"]
    results = await world.read(link["token"], "/results")
    assert [result["item_id"] for result in results] == world.item_ids
    assert [result["passed"] for result in results] == [True, False, True]
    assert results[1]["input"] == {"message": "message 1"}
    assert results[1]["output"] == "answer 1"
    assert results[1]["assertions"][0]["reason"] == "The output does not contain x."
    text = f"{run_seen} {results}"
    for secret in ("default", "the secret prompt", world.run_id, world.use_case["project_id"]):
        assert secret not in text


async def test_results_come_in_pages(world: World) -> None:
    token = (await world.share())["token"]
    seen: list[list[str]] = []
    url: str | None = f"/api/v1/shared/{token}/results?limit=2"
    while url:
        response = await world.nobody.get(url)
        seen.append([result["item_id"] for result in response.json()])
        url = response.links.get("next", {}).get("url")
    assert seen == [world.item_ids[:2], world.item_ids[2:]]


async def test_items_are_shown_as_the_run_saw_them(
    world: World, installation: Installation
) -> None:
    token = (await world.share())["token"]
    async with installation.database.session() as session:
        item = await session.get_one(DatasetItem, UUID(world.item_ids[0]))
        session.add(
            ItemRevision(
                item_id=item.id,
                from_version=1,
                to_version=2,
                input=item.input,
                expected_output="before",
            )
        )
        item.input, item.changed_in = {"message": "after"}, 2
        gone = await session.get_one(DatasetItem, UUID(world.item_ids[1]))
        gone.deleted_in = 3
    results = await world.read(token, "/results")
    assert [result["input"]["message"] for result in results] == [f"message {n}" for n in range(3)]
    assert results[0]["expected_output"] == "before"


async def test_an_error_says_nothing_of_servers(world: World, installation: Installation) -> None:
    token = (await world.share())["token"]
    async with installation.database.session() as session:
        result = await session.scalar(
            select(EvalResult).filter_by(
                eval_run_id=UUID(world.run_id), dataset_item_id=UUID(world.item_ids[0])
            )
        )
        assert result is not None
        result.error = "model_unavailable: local/x cannot be reached at http://10.1.2.3/v1"
        result.grading = result.output = None
    [first, *_] = await world.read(token, "/results")
    assert first["error"] == "model_unavailable"
    assert first["assertions"] == []


async def test_a_link_ends_when_it_runs_out_is_replaced_or_taken_back(
    world: World, installation: Installation
) -> None:
    first, second = (await world.share())["token"], (await world.share())["token"]
    await world.read(first, status=404)
    await world.read(second)
    async with installation.database.session() as session:
        run = await session.get_one(EvalRun, UUID(world.run_id))
        run.share_expires_at = datetime.now(UTC) - timedelta(seconds=1)
    for more in ("", "/results"):
        problem = await world.read(second, more, 404)
        assert problem["detail"] == "There is nothing at this link, or not any more."
    third = (await world.share())["token"]
    await world.read(third)
    await world.make.call("DELETE", world.path, 204)
    await world.read(third, status=404)
    problem = await world.make.call("DELETE", world.path, 404)
    assert problem["detail"] == "The run is not shared."
    fourth = (await world.share())["token"]
    await world.make.call("DELETE", f"/eval-runs/{world.run_id}", 204)
    await world.read(fourth, status=404)


async def test_a_link_opens_nothing_else(world: World, installation: Installation) -> None:
    token = (await world.share())["token"]
    nobody = await installation.client(Authorization=f"Bearer {token}")
    for path in (f"/eval-runs/{world.run_id}", f"/eval-runs/{world.run_id}/results", "/projects"):
        assert (await nobody.get(f"/api/v1{path}")).status_code == 401
    for path in ("/export", "/summary", "/share", "/results/x"):
        assert (await world.nobody.get(f"/api/v1/shared/{token}{path}")).status_code == 401
    assert (await world.nobody.delete(f"/api/v1/shared/{token}")).status_code == 405
    for wrong in ("x", "%00", "a" * 43, "a" * 101, "%F0%9F"):
        response = await world.nobody.get(f"/api/v1/shared/{wrong}")
        assert response.status_code in (404, 422), wrong


async def test_reads_are_limited_by_address(world: World, installation: Installation) -> None:
    reader = await installation.client(address="10.9.9.9")
    state = installation.app.state
    state.shared_reads = RateLimit(5, clock=lambda: 0.0)
    statuses = [(await reader.get("/api/v1/shared/guess")).status_code for _ in range(6)]
    assert statuses == [404] * 5 + [429]
    refused = await reader.get("/api/v1/shared/guess/results")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    await world.read((await world.share())["token"])
    del state.shared_reads


async def test_answers_stay_out_of_caches_and_the_address_out_of_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    token = (await world.share())["token"]
    with caplog.at_level("DEBUG", logger="assay.http"):
        response = await world.nobody.get(f"/api/v1/shared/{token}")
        (await world.nobody.get(f"/api/v1/shared/{token}/results")).raise_for_status()
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-robots-tag"] == "noindex"
    assert "/api/v1/shared/" in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize("expires_in", [59, 367 * 86_400, "3600", None, 3600.5])
async def test_faulty_shares(world: World, expires_in: Any) -> None:
    problem = await world.make.call("POST", world.path, 422, {"expires_in": expires_in})
    assert problem["errors"][0]["place"] == "body.expires_in"
    await world.make.call("POST", f"/eval-runs/{uuid4()}/share", 404, WEEK)
    await world.make.call("DELETE", f"/eval-runs/{uuid4()}/share", 404)


async def test_it_takes_an_editor_to_share(world: World, installation: Installation) -> None:
    person = await installation.person(Role.editor)
    theirs = Factory(person.client, installation.database)
    await theirs.call("POST", world.path, 404, WEEK)
    await installation.share(world.admin, world.use_case["project_id"], person, Role.viewer)
    await theirs.call("POST", world.path, 403, WEEK)
    await theirs.call("DELETE", world.path, 403)
    await installation.share(world.admin, world.use_case["project_id"], person, Role.editor)
    await theirs.call("POST", world.path, 201, WEEK)
