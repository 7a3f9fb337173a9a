"""Answers from the cache in runs: what is asked, what it costs, and what it says of itself."""

from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.usefixtures("worker")


async def results(client: httpx2.AsyncClient, run: dict[str, Any]) -> list[dict[str, Any]]:
    response = await client.get(f"/api/v1/eval-runs/{run['id']}/results?limit=200")
    found: list[dict[str, Any]] = response.json()
    return found


async def test_a_second_run_at_temperature_0_costs_nothing(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, priced: Any
) -> None:
    parts = await make_parts(20)
    model, server = await priced()
    models = [{"model": model, "parameters": {"temperature": 0}}, {"model": "builtin/echo"}]
    first = await ended_run((await start_run(parts.body(models=models)))["id"])
    again = await ended_run((await start_run(parts.body(models=models)))["id"])
    assert server.counters.requests == 20
    assert (first["summary"]["overall"]["cached"], first["cache"]) == (0, "on")
    assert first["progress"]["cost"] > again["progress"]["cost"] == 0
    assert again["progress"]["passed"] == 40
    assert again["summary"]["models"][model]["cached"] == 20
    assert again["summary"]["models"]["builtin/echo"]["cached"] == 0
    assert again["summary"]["models"][model]["latency_ms"]["p50"] is None
    [before, after] = [(await results(client, run))[1] for run in (first, again)]
    assert (before["model_id"], before["metrics"]["cached"]) == (model, False)
    assert (after["cost"], after["latency_ms"], after["metrics"]["cached"]) == (0, None, True)
    assert after["metrics"]["original"]["latency_ms"] == pytest.approx(before["latency_ms"])
    assert after["metrics"]["original"]["cost"] == before["cost"]
    for name in ("output", "request", "passed", "score"):
        assert after[name] == before[name]


async def test_off_and_refresh_and_other_temperatures_ask(
    make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(5)
    model, server = await scripted()
    cold = [{"model": model, "parameters": {"temperature": 0}}]
    for asked, more in (
        (5, {"cache": "off"}),
        (10, {"cache": "refresh"}),
        (10, {"cache": "on"}),
        (15, {"cache": "refresh"}),
        (20, {"cache": "on", "models": [{"model": model, "parameters": {"temperature": 0.5}}]}),
        (25, {"cache": "on", "models": [{"model": model}]}),
    ):
        run = await ended_run((await start_run(parts.body(**{"models": cold, **more})))["id"])
        assert run["progress"]["passed"] == 5
        assert server.counters.requests == asked


async def test_repetitions_are_asked_each_and_kept_apart(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(3)
    numbers = iter(range(100))
    model, server = await scripted(answer=lambda _request: f"answer {next(numbers)}")
    models = [{"model": model, "parameters": {"temperature": 0}}]
    runs = [
        await ended_run((await start_run(parts.body(models=models, repeat=4)))["id"])
        for _ in range(2)
    ]
    assert server.counters.requests == 12
    first, again = [[row["output"] for row in await results(client, run)] for run in runs]
    assert first == again
    assert len(set(first)) == 12


async def test_equal_items_are_asked_once(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(30, template="Always the same")
    model, server = await scripted(latency=0.1)
    models = [{"model": model, "parameters": {"temperature": 0.0}}]
    run = await ended_run((await start_run(parts.body(models=models)))["id"])
    assert server.counters.requests == 1
    assert run["summary"]["overall"]["cached"] == 29


async def test_a_latency_from_the_cache_cannot_be_graded(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    model, _server = await scripted()
    body = parts.body(
        models=[{"model": model, "parameters": {"temperature": 0}}],
        assertions=[{"type": "latency", "threshold": 10_000}],
    )
    first = await ended_run((await start_run(body))["id"])
    assert first["progress"]["passed"] == 1
    again = await ended_run((await start_run(body))["id"])
    assert again["progress"]["failed"] == 1
    [result] = await results(client, again)
    assert result["grading"]["assertions"][0]["error"] is True
    assert "cache" in result["grading"]["reason"]
    fresh = await ended_run((await start_run({**body, "cache": "off"}))["id"])
    assert fresh["progress"]["passed"] == 1
