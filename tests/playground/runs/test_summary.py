"""What a summary adds to counts, intervals, metrics, formulas; and the columns it stands on."""

from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.usefixtures("worker")

HALF = [
    {"type": "contains", "value": "word", "metric": "found"},
    {"type": "equals", "value": "nothing", "metric": 'a "quoted" \\ name, {so}'},
    {"type": "is-json", "weight": 0, "metric": "measured"},
    {"type": "starts-with", "value": "Say word-1"},
]


async def test_metrics_and_what_is_derived_from_them(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(10)
    derived = [
        {"name": "share", "value": "found / __count"},
        {"name": "twice", "value": "2 * share + missing"},
        {"name": "nothing", "value": "1 / measured"},
    ]
    body = parts.body(
        "builtin/echo", "builtin/first-label", assertions=HALF, derived_metrics=derived
    )
    run = await ended_run((await start_run(body))["id"])
    assert run["derived_metrics"] == derived
    echo = run["summary"]["models"]["builtin/echo"]
    assert echo["metrics"] == {"found": 1.0, 'a "quoted" \\ name, {so}': 0.0, "measured": 0.0}
    scores = {each["name"]: each["value"] for each in echo["derived_metrics"]}
    assert scores == {"share": 1.0, "twice": 2.0, "nothing": None}
    reasons = {each["name"]: each.get("reason") for each in echo["derived_metrics"]}
    assert "missing" in reasons["twice"]
    assert "zero" in reasons["nothing"]
    assert run["summary"]["overall"]["metrics"]["found"] == 0.5
    low, high = echo["mean_score_interval"]
    assert low < echo["mean_score"] < high
    again = await ended_run((await start_run(body))["id"])
    assert again["summary"]["models"]["builtin/echo"]["mean_score_interval"] == [low, high]
    summary = (await client.get(f"/api/v1/eval-runs/{run['id']}/summary")).json()
    assert summary["models"]["builtin/echo"]["derived_metrics"][0]["value"] == 1.0


async def test_failed_assertions_are_named_in_a_column(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(2)
    run = await ended_run((await start_run(parts.body("builtin/echo", assertions=HALF)))["id"])
    found = (await client.get(f"/api/v1/eval-runs/{run['id']}/results")).json()
    quoted = 'a "quoted" \\ name, {so}'
    assert [row["failed_assertions"] for row in found] == [[quoted, "starts-with"], [quoted]]
    path = f"/api/v1/eval-runs/{run['id']}/results"
    only = (await client.get(path, params={"failed_assertion": "starts-with"})).json()
    assert [row["id"] for row in only] == [found[0]["id"]]
    both = (await client.get(path, params={"failed_assertion": quoted})).json()
    assert len(both) == 2


@pytest.mark.parametrize(
    ("derived", "place"),
    [
        ([{"name": "x", "value": "1 +"}], "body.derived_metrics[0].value"),
        ([{"name": "x", "value": "1"}] * 2, "body.derived_metrics[1].name"),
        ([{"name": "", "value": "1"}], "body.derived_metrics[0].name"),
        ([{"name": "x", "value": "() => 1"}], "body.derived_metrics[0].value"),
        ([{"name": "x"}], "body.derived_metrics[0].value"),
    ],
)
async def test_bad_formulas_are_refused(
    client: httpx2.AsyncClient, make_parts: Any, derived: Any, place: str
) -> None:
    parts = await make_parts(1)
    body = parts.body("builtin/echo", derived_metrics=derived)
    response = await client.post("/api/v1/eval-runs", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["place"] == place


async def test_a_run_of_one_cell_has_no_interval_of_scores(
    make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(1)
    run = await ended_run((await start_run(parts.body("builtin/echo")))["id"])
    assert run["summary"]["overall"]["mean_score_interval"] is None
    assert run["summary"]["overall"]["item_pass_rate"] == 1.0
