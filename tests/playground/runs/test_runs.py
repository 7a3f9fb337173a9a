"""Runs from the request to the summary, through HTTP and a real worker."""

import asyncio
import uuid
from typing import Any

import httpx2
import pytest

from assay.core.errors import SetupError

pytestmark = pytest.mark.usefixtures("worker")


async def get(client: httpx2.AsyncClient, path: str) -> Any:
    response = await client.get(f"/api/v1{path}")
    assert response.status_code == 200, response.text
    return response.json()


async def test_every_item_is_asked_of_every_model_graded_and_stored(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(7)
    good, good_server = await scripted()
    bad, bad_server = await scripted(answer="no idea")
    run = await start_run(parts.body(good, bad, name="two models"))
    assert (run["status"], run["progress"]["total"]) == ("pending", 14)
    run = await ended_run(run["id"])
    assert run["status"] == "completed"
    assert run["progress"] == {
        "total": 14,
        "completed": 14,
        "passed": 7,
        "failed": 7,
        "errors": 0,
        "waiting": 0,
        "cost": 0.0,
        "percent": 100.0,
    }
    assert good_server.counters.requests == bad_server.counters.requests == 7
    results = await get(client, f"/eval-runs/{run['id']}/results")
    assert len(results) == 14
    assert [result["dataset_item_id"] for result in results[::2]] == parts.item_ids
    first = next(r for r in results if r["model_id"] == good)
    assert first["request"] == {"messages": [{"role": "user", "content": "Say word-0"}]}
    assert "word-0" in first["output"]
    assert first["model_config"]["model"] == good
    assert first["grading"]["passed"] is True
    assert first["grading"]["assertions"][0]["type"] == "contains"
    assert first["metrics"]["attempts"] == 1
    assert first["metrics"]["latency_ms"] > 0
    summary = await get(client, f"/eval-runs/{run['id']}/summary")
    assert summary["models"][good]["pass_rate"] == 1.0
    assert summary["models"][bad]["pass_rate"] == 0.0
    assert summary["overall"]["cells"] == 14
    assert summary["overall"]["pass_rate"] == 0.5
    low, high = summary["overall"]["pass_rate_interval"]
    assert 0.2 < low < 0.5 < high < 0.8
    assert summary["overall"]["assertions"] == [
        {"name": "contains", "type": "contains", "cells": 14, "passed": 7, "pass_rate": 0.5}
    ]
    assert run["summary"] == summary


async def test_results_are_filtered_and_paged(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(30)
    run = await start_run(parts.body("builtin/echo", "builtin/first-label"))
    run = await ended_run(run["id"])
    path = f"/api/v1/eval-runs/{run['id']}/results"
    seen: list[str] = []
    url: str | None = f"{path}?limit=7&model=builtin/echo"
    while url:
        response = await client.get(url)
        seen += [result["dataset_item_id"] for result in response.json()]
        url = response.links.get("next", {}).get("url")
    assert seen == parts.item_ids
    passed = (await client.get(path, params={"passed": True, "limit": 200})).json()
    assert {result["model_id"] for result in passed} == {"builtin/echo"}


async def test_an_item_grades_with_its_own_assertions_too(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(
        1, dataset={"default_assertions": [{"type": "icontains", "value": "SAY"}]}
    )
    body = {"items": [{"input": {"word": "x"}, "assertions": [{"type": "equals", "value": "y"}]}]}
    response = await client.post(f"/api/v1/datasets/{parts.dataset_id}/items", json=body)
    assert response.status_code == 201
    run = await start_run(parts.body("builtin/echo", assertions=[{"type": "regex", "value": "."}]))
    run = await ended_run(run["id"])
    results = await get(client, f"/eval-runs/{run['id']}/results")
    types = [[entry["type"] for entry in r["grading"]["assertions"]] for r in results]
    assert types == [["icontains", "regex"], ["icontains", "regex", "equals"]]
    assert [result["passed"] for result in results] == [True, False]


async def test_a_model_listed_twice_needs_labels(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(1)
    twice: list[dict[str, Any]] = [
        {"model": "builtin/echo"},
        {"model": "builtin/echo", "parameters": {"seed": 1}},
    ]
    response = await client.post("/api/v1/eval-runs", json=parts.body(models=twice))
    assert response.status_code == 422
    assert response.json()["errors"][0]["place"] == "body.models[1].label"
    twice[1]["label"] = "seeded"
    run = await ended_run((await start_run(parts.body(models=twice)))["id"])
    assert set(run["summary"]["models"]) == {"builtin/echo", "seeded"}


async def test_failures_of_the_provider_are_outlived(
    make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(400)
    model, server = await scripted(
        max_concurrency=16, rate_500=0.05, rate_429=0.05, rate_broken=0.02, latency=0.005
    )
    run = await ended_run((await start_run(parts.body(model)))["id"])
    assert run["status"] == "completed"
    assert run["progress"]["passed"] == 400
    assert server.counters.most_in_flight <= 16
    assert server.counters.statuses["500"] > 0
    assert server.counters.statuses["429"] > 0


async def test_concurrency_of_a_run_is_held(
    make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(60)
    model, server = await scripted(latency=0.02)
    run = await ended_run((await start_run(parts.body(model, concurrency=5)))["id"])
    assert run["progress"]["completed"] == 60
    assert server.counters.most_in_flight == 5


async def test_what_the_provider_refuses_is_stored_as_an_error(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(3)
    model, _server = await scripted(models=("another",))
    run = await ended_run((await start_run(parts.body(model, "builtin/echo")))["id"])
    assert run["status"] == "completed"
    assert (run["progress"]["errors"], run["progress"]["passed"]) == (3, 3)
    results = await get(client, f"/eval-runs/{run['id']}/results?model={model}")
    assert all("there is no model" in result["error"] for result in results)
    assert results[0]["output"] is None
    assert run["summary"]["models"][model]["errors"] == 3


async def test_cancel_stops_and_resume_asks_only_what_has_no_result(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(300)
    model, server = await scripted(latency=0.05)
    run = await start_run(parts.body(model, concurrency=10))
    while (await get(client, f"/eval-runs/{run['id']}"))["progress"]["completed"] < 50:
        await asyncio.sleep(0.02)
    response = await client.post(f"/api/v1/eval-runs/{run['id']}/cancel")
    assert response.status_code == 200
    assert response.json()["status"] == "canceled"
    again = await client.post(f"/api/v1/eval-runs/{run['id']}/cancel")
    assert again.status_code == 409
    await asyncio.sleep(1.5)
    asked = server.counters.requests
    await asyncio.sleep(0.3)
    assert server.counters.requests == asked
    assert asked < 300
    stored = (await get(client, f"/eval-runs/{run['id']}"))["progress"]["completed"]
    resumed = await client.post(f"/api/v1/eval-runs/{run['id']}/resume")
    assert resumed.status_code == 202
    run = await ended_run(run["id"])
    assert run["status"] == "completed"
    assert run["progress"]["completed"] == 300
    assert server.counters.requests - asked == 300 - stored
    assert (await client.post(f"/api/v1/eval-runs/{run['id']}/resume")).status_code == 409


async def test_a_run_goes_on_with_the_items_as_they_were_when_it_was_made(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(40)
    model, _server = await scripted(latency=0.1)
    run = await start_run(parts.body(model, concurrency=4))
    while not (await get(client, f"/eval-runs/{run['id']}"))["progress"]["completed"]:
        await asyncio.sleep(0.02)
    gone = parts.item_ids[-1]
    assert (await client.delete(f"/api/v1/dataset-items/{gone}")).status_code == 204
    run = await ended_run(run["id"])
    assert run["status"] == "completed"
    assert run["summary"]["overall"]["cells"] == 40


async def test_answers_with_nul_are_stored(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    model, _server = await scripted(answer="a\x00b 😀")
    run = await ended_run((await start_run(parts.body(model)))["id"])
    [result] = await get(client, f"/eval-runs/{run['id']}/results")
    assert result["output"] == "a�b 😀"


async def test_runs_are_listed_by_what_they_are_of(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(1)
    runs = [await start_run(parts.body("builtin/echo")) for _ in range(3)]
    for run in runs:
        await ended_run(run["id"])
    newest_first = [run["id"] for run in reversed(runs)]
    by_dataset = await get(client, f"/eval-runs?dataset_id={parts.dataset_id}")
    assert [run["id"] for run in by_dataset] == newest_first
    query = f"/eval-runs?dataset_id={parts.dataset_id}&status=failed"
    assert await get(client, query) == []
    version = await get(client, f"/prompt-versions/{parts.version_id}")
    by_prompt = await get(client, f"/eval-runs?prompt_id={version['prompt_id']}&limit=2")
    assert [run["id"] for run in by_prompt] == newest_first[:2]


async def test_an_ended_run_is_deleted_with_its_results(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(2)
    model, _server = await scripted(latency=0.5)
    run = await start_run(parts.body(model))
    assert (await client.delete(f"/api/v1/eval-runs/{run['id']}")).status_code == 409
    await ended_run(run["id"])
    assert (await client.delete(f"/api/v1/eval-runs/{run['id']}")).status_code == 204
    for path in ("", "/results", "/summary"):
        assert (await client.get(f"/api/v1/eval-runs/{run['id']}{path}")).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"prompt_version_id": str(uuid.uuid4())}, 404, "prompt version"),
        ({"dataset_id": str(uuid.uuid4())}, 404, "dataset"),
        ({"models": []}, 422, "models"),
        ({"models": [{"model": "nobody/knows"}]}, 422, "nobody"),
        ({"models": [{"model": "builtin/ecko"}]}, 422, "builtin/echo"),
        ({"models": [{"model": "no-slash"}]}, 422, "provider"),
        ({"assertions": [{"type": "containz", "value": "x"}]}, 422, "contains"),
        ({"assertions": [{"type": "regex", "value": "("}]}, 422, "assertions[0].value"),
        ({"assertions": [{"type": "latency"}]}, 422, "assertions[0]"),
        ({"concurrency": 0}, 422, "concurrency"),
        ({"nonsense": 1}, 422, "nonsense"),
    ],
)
async def test_bad_runs_are_refused_with_the_fault_named(
    client: httpx2.AsyncClient, make_parts: Any, change: dict[str, Any], status: int, says: str
) -> None:
    parts = await make_parts(1)
    response = await client.post("/api/v1/eval-runs", json={**parts.body("builtin/echo"), **change})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert says in response.text
    assert (await get(client, f"/eval-runs?dataset_id={parts.dataset_id}")) == []


async def test_items_without_a_variable_and_empty_datasets_are_refused(
    client: httpx2.AsyncClient, make_parts: Any
) -> None:
    parts = await make_parts(2, template="Say {{word}} to {{whom}}")
    response = await client.post("/api/v1/eval-runs", json=parts.body("builtin/echo"))
    assert response.status_code == 422
    assert "2 of 2 items" in response.json()["detail"]
    assert "whom" in response.json()["errors"][0]["message"]
    empty = await make_parts(0)
    response = await client.post("/api/v1/eval-runs", json=empty.body("builtin/echo"))
    assert response.status_code == 422
    assert "has no items" in response.json()["detail"]


async def test_a_run_that_its_worker_cannot_do_fails_and_can_be_resumed(
    client: httpx2.AsyncClient,
    make_parts: Any,
    start_run: Any,
    ended_run: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = await make_parts(2)
    monkeypatch.setattr("assay.playground.runs.execution.load_specification", _broken_specification)
    run = await ended_run((await start_run(parts.body("builtin/echo")))["id"])
    assert run["status"] == "failed"
    assert "no key here" in run["error_message"]
    monkeypatch.undo()
    assert (await client.post(f"/api/v1/eval-runs/{run['id']}/resume")).status_code == 202
    assert (await ended_run(run["id"]))["status"] == "completed"


async def _broken_specification(*_arguments: Any) -> None:
    raise SetupError("no key here")
