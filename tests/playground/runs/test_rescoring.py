"""Stored answers graded again beside the run that they come from."""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from assay.core.database import Database
from assay.playground.runs.models import EvalResult

pytestmark = pytest.mark.usefixtures("worker")

STRICT = [{"type": "equals", "value": "{{expected_output}}"}]


async def call(client: httpx2.AsyncClient, method: str, path: str, status: int, body: Any = None):  # type: ignore[no-untyped-def]  # any JSON
    response = await client.request(method, f"/api/v1/eval-runs{path}", json=body)
    assert response.status_code == status, response.text
    return response.json() if response.content else None


async def test_answers_are_graded_again_without_asking(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, priced: Any
) -> None:
    parts = await make_parts(130)
    model, server = await priced()
    body = parts.body(model, "builtin/echo", repeat=2, pass_when="any", name="first")
    run = await ended_run((await start_run(body))["id"])
    asked = server.counters.requests
    made = await call(client, "POST", f"/{run['id']}/rescore", 202, {"assertions": STRICT})
    assert made["rescored_from_id"] == run["id"]
    again = await ended_run(made["id"])
    assert server.counters.requests == asked
    assert again["status"] == "completed"
    for name in ("models", "repeat", "pass_when", "dataset_version", "name", "dataset_id"):
        assert again[name] == run[name]
    assert (again["progress"]["failed"], run["progress"]["passed"]) == (520, 520)
    assert again["progress"]["cost"] == 0
    assert again["progress"]["total"] == again["progress"]["completed"] == 520
    query = f"results?model={model}&limit=3"
    for before, after in zip(
        await call(client, "GET", f"/{run['id']}/{query}", 200),
        await call(client, "GET", f"/{again['id']}/{query}", 200),
        strict=True,
    ):
        for name in ("request", "output", "latency_ms", "dataset_item_id", "repetition"):
            assert before[name] == after[name]
        assert (after["cost"], after["metrics"]["cost"]) == (0, 0)
        assert after["metrics"]["original"]["cost"] == before["cost"] > 0
        assert after["grading"]["assertions"][0]["type"] == "equals"
    both = await call(client, "GET", f"?dataset_id={parts.dataset_id}", 200)
    assert len(both) == 2


async def test_a_cost_is_graded_as_it_was(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, priced: Any
) -> None:
    parts = await make_parts(1)
    model, _server = await priced()
    run = await ended_run((await start_run(parts.body(model)))["id"])
    body = {"assertions": [{"type": "cost", "threshold": 0}], "name": "nothing is free"}
    for _ in range(2):  # and the second time from answers that were graded again themselves
        made = await call(client, "POST", f"/{run['id']}/rescore", 202, body)
        run = await ended_run(made["id"])
        assert run["progress"]["failed"] == 1
        assert run["name"] == "nothing is free"


async def test_perplexity_is_graded_as_it_was(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    model, _server = await scripted(logprobs=lambda _: [-0.5, -1.5])
    body = parts.body(model) | {"assertions": [{"type": "perplexity-score"}]}
    body["models"] = [{"model": model, "parameters": {"logprobs": True}}]
    run = await ended_run((await start_run(body))["id"])
    made = await call(client, "POST", f"/{run['id']}/rescore", 202, {})
    again = await ended_run(made["id"])
    for each in (run, again):
        [result] = await call(client, "GET", f"/{each['id']}/results", 200)
        assert result["metrics"]["mean_logprob"] == -1.0
        assert result["grading"]["assertions"][0]["score"] == pytest.approx(1 / (1 + 2.718281828))


async def test_cells_without_an_answer_stay_errors(
    client: httpx2.AsyncClient,
    database: Database,
    make_parts: Any,
    start_run: Any,
    ended_run: Any,
    scripted: Any,
) -> None:
    parts = await make_parts(2)
    model, server = await scripted(models=("another",))
    run = await ended_run((await start_run(parts.body(model, "builtin/echo")))["id"])
    [first, *_] = await call(client, "GET", f"/{run['id']}/results?model=builtin/echo", 200)
    async with database.session() as session:
        await session.delete(await session.get_one(EvalResult, UUID(first["id"])))
    server.models = ()
    made = await call(client, "POST", f"/{run['id']}/rescore", 202, {})
    again = await ended_run(made["id"])
    assert (again["progress"]["errors"], again["progress"]["passed"]) == (3, 1)
    errors = [
        result["error"]
        for result in await call(client, "GET", f"/{again['id']}/results?error=true", 200)
    ]
    assert sum("there is no model" in error for error in errors) == 2
    assert sum("has no result for this cell" in error for error in errors) == 1
    # Also where it is gone on with, nobody is asked.
    asked = server.counters.requests
    await call(client, "POST", f"/{again['id']}/rerun-failed", 202, {"what": "errors"})
    assert (await ended_run(again["id"]))["progress"]["errors"] == 3
    assert server.counters.requests == asked


async def test_a_run_stays_while_its_answers_are_graded_by_another(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    model, _server = await scripted(latency=0.5)
    run = await start_run(parts.body(model))
    await call(client, "POST", f"/{run['id']}/rescore", 409, {})
    await ended_run(run["id"])
    made = await call(client, "POST", f"/{run['id']}/rescore", 202, {"assertions": STRICT})
    await ended_run(made["id"])
    refused = await call(client, "DELETE", f"/{run['id']}", 409)
    assert made["id"] in refused["detail"]
    await call(client, "DELETE", f"/{made['id']}", 204)
    await call(client, "DELETE", f"/{run['id']}", 204)


async def test_both_go_with_their_dataset(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(1)
    run = await ended_run((await start_run(parts.body("builtin/echo")))["id"])
    made = await call(client, "POST", f"/{run['id']}/rescore", 202, {})
    await ended_run(made["id"])
    response = await client.delete(f"/api/v1/datasets/{parts.dataset_id}")
    assert response.status_code == 204
    for each in (run, made):
        await call(client, "GET", f"/{each['id']}", 404)
