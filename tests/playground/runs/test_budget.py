"""Budgets: what a run is thought to cost, and where it stops."""

from typing import Any

import httpx2
import pytest

from assay.playground.runs.budget import Budget

pytestmark = pytest.mark.usefixtures("worker")


async def post(client: httpx2.AsyncClient, path: str, status: int, body: Any = None) -> Any:
    response = await client.post(f"/api/v1/eval-runs{path}", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_run_stops_at_its_budget_and_goes_on_when_it_is_raised(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, priced: Any
) -> None:
    parts = await make_parts(300)
    model, server = await priced(latency=0.01)
    whole = await post(client, "/estimate", 200, parts.body(model))
    full = await ended_run((await start_run(parts.body(model)))["id"])
    each = full["progress"]["cost"] / 300
    assert whole["cells"] == 300
    assert whole["unpriced_models"] == []
    budget = 100 * each
    run = await start_run(parts.body(model, max_cost=budget, concurrency=8, cache="off"))
    assert run["max_cost"] == budget
    run = await ended_run(run["id"])
    assert run["status"] == "canceled"
    assert "budget of" in run["error_message"]
    assert budget <= run["progress"]["cost"] <= budget + 8 * each * 1.2
    assert run["progress"]["completed"] < 120
    before, stored = server.counters.requests, run["progress"]["completed"]
    assert before - 300 == stored, "what was paid for is stored"

    refused = await post(client, f"/{run['id']}/resume", 409)
    assert "max_cost" in refused["detail"]
    await post(client, f"/{run['id']}/resume", 409, {"max_cost": budget})
    await post(client, f"/{run['id']}/resume", 422, {"max_cost": 0})
    await post(client, f"/{run['id']}/resume", 202, {"max_cost": 200 * each})
    run = await ended_run(run["id"])
    assert run["status"] == "canceled"
    assert 200 * each <= run["progress"]["cost"] <= 200 * each + 8 * each * 1.2
    await post(client, f"/{run['id']}/resume", 202, {"max_cost": None})
    run = await ended_run(run["id"])
    assert (run["status"], run["max_cost"]) == ("completed", None)
    assert run["progress"]["completed"] == 300
    assert server.counters.requests == 600
    assert run["error_message"] is None


async def test_a_budget_that_is_enough_changes_nothing(
    make_parts: Any, start_run: Any, ended_run: Any, priced: Any
) -> None:
    parts = await make_parts(250)
    model, server = await priced()
    run = await ended_run((await start_run(parts.body(model, "builtin/echo", max_cost=5)))["id"])
    assert (run["status"], run["progress"]["completed"]) == ("completed", 500)
    assert server.counters.requests == 250


async def test_models_without_a_price_take_no_budget(
    client: httpx2.AsyncClient, make_parts: Any, scripted: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(1)
    model, _server = await scripted()
    refused = await post(client, "", 422, parts.body(model, max_cost=1))
    assert model in refused["detail"]
    assert refused["errors"][0]["place"] == "body.max_cost"
    estimate = await post(client, "/estimate", 200, parts.body(model, "builtin/echo"))
    assert estimate["cost"] is None
    assert estimate["unpriced_models"] == [model]
    run = await start_run(parts.body(model))
    assert run["estimated_cost"] is None
    run = await ended_run(run["id"])
    free = await start_run(parts.body("builtin/echo", max_cost=1))
    assert free["estimated_cost"] == 0
    assert (await ended_run(free["id"]))["status"] == "completed"


async def test_the_estimate_is_near_what_a_run_costs(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, priced: Any
) -> None:
    # The scripted model counts words, of which a text of such words has as many as tokens.
    parts = await make_parts(500, template="abc " * 50 + "{{word}}")
    model, _server = await priced(answer="yes it is so")
    first = await post(client, "/estimate", 200, parts.body(model, repeat=2))
    assert first["cells"] == 1000
    assert first["tokens_out"] == 1000 * 200
    assert first["tokens_in"] == pytest.approx(51_000, rel=0.1)
    capped = parts.body(models=[{"model": model, "parameters": {"max_tokens": 10}}])
    assert (await post(client, "/estimate", 200, capped))["tokens_out"] == 500 * 10
    run = await ended_run((await start_run(parts.body(model, repeat=2)))["id"])
    again = await post(client, "/estimate", 200, parts.body(model, repeat=2))
    assert again["tokens_out"] == run["summary"]["overall"]["tokens_out"]
    assert again["cost"] == pytest.approx(run["progress"]["cost"], rel=0.1)
    assert run["estimated_cost"] == first["cost"] > again["cost"]


async def test_an_estimate_is_refused_as_the_run_would_be(
    client: httpx2.AsyncClient, make_parts: Any
) -> None:
    parts = await make_parts(1, template="Say {{word}} to {{whom}}")
    refused = await post(client, "/estimate", 422, parts.body("builtin/echo"))
    assert "whom" in refused["errors"][0]["message"]
    response = await client.get("/api/v1/eval-runs", params={"dataset_id": parts.dataset_id})
    assert response.json() == []


def test_a_cost_that_is_not_known_counts_as_nothing() -> None:
    budget = Budget(1.0, 0.5)
    budget.spend(None)
    assert not budget.reached
    budget.spend(0.5)
    assert budget.reached
    budget.limit = None
    assert not budget.reached
