"""Items asked several times: each repetition a cell, and the item judged by all of them."""

import itertools
from typing import Any

import httpx2
import pytest

from assay.grading.repetitions import pass_hat_k

pytestmark = pytest.mark.usefixtures("worker")


async def get(client: httpx2.AsyncClient, path: str) -> Any:
    response = await client.get(f"/api/v1/eval-runs/{path}")
    assert response.status_code == 200, response.text
    return response.json()


def right_at_times(*pattern: bool) -> Any:
    """Answers with the word it was given where the pattern says so, item by item in turns."""
    asked: dict[str, itertools.cycle[bool]] = {}

    def answer(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        turn = next(asked.setdefault(text, itertools.cycle(pattern)))
        return text if turn else "no"

    return answer


async def test_every_repetition_is_a_cell(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(30)
    model, server = await scripted(answer=right_at_times(True, True, False))
    run = await start_run(parts.body(model, "builtin/echo", repeat=6))
    assert (run["repeat"], run["progress"]["total"]) == (6, 360)
    run = await ended_run(run["id"])
    assert run["progress"]["completed"] == 360
    assert server.counters.requests == 180
    results = await get(client, f"{run['id']}/results?limit=200&model={model}")
    cells = [(result["dataset_item_id"], result["repetition"]) for result in results]
    assert cells == [(item, number) for item in parts.item_ids for number in range(6)]
    mine = run["summary"]["models"][model]
    assert (mine["cells"], mine["passed"], mine["pass_rate"]) == (180, 120, 120 / 180)
    assert (mine["items"], mine["items_passed"], mine["item_pass_rate"]) == (30, 0, 0.0)
    assert mine["pass_hat_k"] == pytest.approx([pass_hat_k(4, 6, k) for k in range(1, 7)])
    assert mine["mean_score_interval"] == pytest.approx([4 / 6, 4 / 6], abs=1e-4)
    other = run["summary"]["models"]["builtin/echo"]
    assert (other["items_passed"], other["pass_hat_k"]) == (30, [1.0] * 6)
    overall = run["summary"]["overall"]
    assert (overall["items"], overall["items_passed"]) == (60, 30)
    low, high = overall["item_pass_rate_interval"]
    assert low < 0.5 < high


@pytest.mark.parametrize(
    ("rule", "pattern", "passed"),
    [
        ({"pass_when": "any"}, (False, False, True), True),
        ({"pass_when": "any"}, (False, False, False), False),
        ({"pass_when": "all"}, (True, True, False), False),
        ({"pass_when": "all"}, (True, True, True), True),
        ({"pass_when": "mean"}, (True, True, False), True),
        ({"pass_when": "mean"}, (True, False, False), False),
        ({"pass_when": "mean", "threshold": 0.7}, (True, True, False), False),
        ({"pass_when": "mean", "threshold": 0.3}, (True, False, False), True),
    ],
)
async def test_when_an_item_has_passed(
    client: httpx2.AsyncClient,
    make_parts: Any,
    start_run: Any,
    ended_run: Any,
    scripted: Any,
    rule: dict[str, Any],
    pattern: tuple[bool, ...],
    passed: bool,
) -> None:
    parts = await make_parts(2)
    model, _server = await scripted(answer=right_at_times(*pattern))
    body = parts.body(model, "builtin/echo", repeat=3, **rule)
    run = await ended_run((await start_run(body))["id"])
    assert run["summary"]["models"][model]["items_passed"] == (2 if passed else 0)
    assert {name: run[name] for name in rule} == rule
    rows = await get(client, f"{run['id']}/matrix?show=disagreements")
    assert len(rows) == (0 if passed else 2), "echo always passes"


async def test_items_count_once_all_repetitions_are_there(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(3)
    model, _server = await scripted(latency=0.2)
    run = await start_run(parts.body(model, repeat=20, concurrency=10))
    while not (await get(client, run["id"]))["progress"]["completed"]:
        pass
    await client.post(f"/api/v1/eval-runs/{run['id']}/cancel")
    part = (await get(client, f"{run['id']}/summary"))["overall"]
    assert part["items"] < 3
    assert part["cells"] < 60
    assert (await client.post(f"/api/v1/eval-runs/{run['id']}/resume")).status_code == 202
    whole = (await ended_run(run["id"]))["summary"]["overall"]
    assert (whole["items"], whole["items_passed"], whole["cells"]) == (3, 3, 60)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"repeat": 0}, "body.repeat"),
        ({"repeat": 101}, "body.repeat"),
        ({"pass_when": "most"}, "body.pass_when"),
        ({"threshold": 0.5}, "body"),
        ({"pass_when": "mean", "threshold": 1.5}, "body.threshold"),
    ],
)
async def test_bad_repetitions_are_refused(
    client: httpx2.AsyncClient, make_parts: Any, change: dict[str, Any], place: str
) -> None:
    parts = await make_parts(1)
    response = await client.post("/api/v1/eval-runs", json=parts.body("builtin/echo", **change))
    assert response.status_code == 422
    assert response.json()["errors"][0]["place"] == place
