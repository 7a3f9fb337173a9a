"""Failures asked again, in the same run."""

from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.usefixtures("worker")


async def post(client: httpx2.AsyncClient, path: str, status: int, body: Any = None) -> Any:
    response = await client.post(f"/api/v1/eval-runs/{path}", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def test_errors_alone_are_asked_again(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(150)
    broken, broken_server = await scripted(models=("another",))
    wrong, wrong_server = await scripted(answer="no")
    run = await ended_run((await start_run(parts.body(broken, wrong, "builtin/echo")))["id"])
    progress = run["progress"]
    assert (progress["errors"], progress["failed"], progress["passed"]) == (150, 150, 150)
    broken_server.models = ()
    again = await post(client, f"{run['id']}/rerun-failed", 202, {"what": "errors"})
    assert again["status"] == "pending"
    assert again["progress"]["completed"] == 300
    assert again["summary"] is None
    await post(client, f"{run['id']}/resume", 409)
    run = await ended_run(run["id"])
    progress = run["progress"]
    assert (progress["errors"], progress["failed"], progress["passed"]) == (0, 150, 300)
    assert run["status"] == "completed"
    assert run["summary"]["overall"]["cells"] == 450
    assert wrong_server.counters.requests == 150
    assert broken_server.counters.requests == 300
    nothing = await post(client, f"{run['id']}/rerun-failed", 409, {})
    assert "No cell" in nothing["detail"]

    wrong_server.answer = None
    run = await post(client, f"{run['id']}/rerun-failed", 202, {"what": "failed"})
    run = await ended_run(run["id"])
    assert run["progress"]["passed"] == run["progress"]["completed"] == 450
    assert wrong_server.counters.requests == 300
    await post(client, f"{run['id']}/rerun-failed", 409, {"what": "failed"})


async def test_what_has_no_result_yet_is_asked_too(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(200)
    model, server = await scripted(latency=0.02, models=("another",))
    run = await start_run(parts.body(model, concurrency=4))
    while not (await client.get(f"/api/v1/eval-runs/{run['id']}")).json()["progress"]["errors"]:
        pass
    await post(client, f"{run['id']}/rerun-failed", 409, {"what": "errors"})
    await post(client, f"{run['id']}/cancel", 200)
    server.models = ()
    await post(client, f"{run['id']}/rerun-failed", 202, {"what": "errors"})
    run = await ended_run(run["id"])
    assert run["progress"]["passed"] == run["progress"]["completed"] == 200


async def test_failures_at_temperature_0_do_not_come_from_the_cache(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(3)
    model, server = await scripted(answer="no")
    body = parts.body(models=[{"model": model, "parameters": {"temperature": 0}}])
    run = await ended_run((await start_run(body))["id"])
    server.answer = None
    again = await post(client, f"{run['id']}/rerun-failed", 202, {"what": "failed"})
    assert again["cache"] == "refresh"
    assert (await ended_run(run["id"]))["progress"]["passed"] == 3
    kept = await ended_run((await start_run(body))["id"])
    assert kept["progress"]["passed"] == 3
    assert server.counters.requests == 6


async def test_the_budget_counts_what_was_paid_before(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, priced: Any
) -> None:
    parts = await make_parts(10)
    model, _server = await priced(answer="no")
    run = await ended_run((await start_run(parts.body(model)))["id"])
    spent = run["progress"]["cost"]
    body = {"what": "failed", "max_cost": spent / 2}
    refused = await post(client, f"{run['id']}/rerun-failed", 409, body)
    assert "spent" in refused["detail"]
    again = await post(client, f"{run['id']}/rerun-failed", 202, {"what": "failed"})
    assert again["progress"]["cost"] == spent
    run = await ended_run(run["id"])
    assert run["progress"]["cost"] == pytest.approx(2 * spent)
    assert run["summary"]["overall"]["cost"] == pytest.approx(spent)


@pytest.mark.parametrize("path", ["resume", "rerun-failed", "rescore"])
async def test_bad_bodies_and_unknown_runs(client: httpx2.AsyncClient, path: str) -> None:
    unknown = "019ab1de-6f00-7a55-8000-3c1f2e5d7a90"
    await post(client, f"{unknown}/{path}", 404, {})
    await post(client, f"{unknown}/{path}", 422, {"nonsense": 1})
