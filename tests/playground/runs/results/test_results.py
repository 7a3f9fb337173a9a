"""Results by filter and order, page by page."""

import itertools
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import insert

from assay.core.database import Database
from assay.core.ids import new_id
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus
from assay.playground.runs.results import service

Row = dict[str, Any]
MODELS = ("a/one", "b/two")


@dataclass
class Stored:
    """A run with results of every kind, and the results as they should come."""

    path: str
    rows: list[Row]


@pytest.fixture
async def stored(database: Database, make: Any) -> Stored:
    """20 items with two models and two repetitions: every third an error, scores in tenths."""
    use_case = await make.use_case()
    version = await make.version((await make.prompt(use_case["id"]))["id"])
    dataset = await make.dataset(use_case["id"])
    items = [item["id"] for item in await make.items(dataset["id"], 20)]
    rows: list[Row] = []
    for number, (item, model, repetition) in enumerate(itertools.product(items, MODELS, range(2))):
        error = number % 3 == 0
        score = 0.0 if error else number % 10 / 10
        failed = ["tone", "equals"][score > 0.2 :] if score < 0.5 and not error else []
        rows.append(
            {
                "id": str(new_id()),
                "dataset_item_id": item,
                "model_id": model,
                "repetition": repetition,
                "passed": score >= 0.5,
                "score": score,
                "error": f"broken: {number}" if error else None,
                "latency_ms": None if error else 100.0 - number % 7,
                "cost": None if number % 5 == 0 else number % 4 / 8,
                "failed_assertions": failed,
                "output": None if error else f"The answer is {number}: 100%_Sure\\",
            }
        )
    async with database.session() as session:
        run = EvalRun(
            project_id=UUID(use_case["project_id"]),
            prompt_version_id=UUID(version["id"]),
            dataset_id=UUID(dataset["id"]),
            dataset_version=0,
            models=[{"model": model} for model in MODELS],
            repeat=2,
            status=RunStatus.completed,
        )
        session.add(run)
        await session.flush()
        config = {"eval_run_id": run.id, "model_config": {}}
        await session.execute(insert(EvalResult), [{**row, **config} for row in rows])
    return Stored(f"/eval-runs/{run.id}/results", rows)


def ids(pages: list[list[Row]]) -> list[str]:
    return [row["id"] for page in pages for row in page]


@pytest.mark.parametrize("limit", [7, 200])
@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({}, lambda r: True),
        ({"model": "b/two"}, lambda r: r["model_id"] == "b/two"),
        ({"model": "nobody"}, lambda r: False),
        ({"passed": True}, lambda r: r["passed"]),
        ({"passed": False}, lambda r: not r["passed"]),
        ({"error": True}, lambda r: r["error"] is not None),
        ({"error": False}, lambda r: r["error"] is None),
        ({"failed_assertion": "tone"}, lambda r: "tone" in r["failed_assertions"]),
        ({"failed_assertion": "nothing"}, lambda r: False),
        ({"repetition": 1}, lambda r: r["repetition"] == 1),
        ({"search": "ANSWER IS 1"}, lambda r: "answer is 1" in (r["output"] or "")),
        ({"search": "100%_sure\\"}, lambda r: r["output"] is not None),
        ({"search": "%"}, lambda r: r["output"] is not None),
        ({"search": "100_"}, lambda r: False),
        (
            {"search": "answer", "passed": False, "model": "a/one", "repetition": 0},
            lambda r: (
                r["output"] and not r["passed"] and (r["model_id"], r["repetition"]) == ("a/one", 0)
            ),
        ),
        (
            {"failed_assertion": "equals", "search": "answer", "error": False},
            lambda r: "equals" in r["failed_assertions"],
        ),
    ],
)
async def test_filters(make: Any, stored: Stored, query: Row, holds: Any, limit: int) -> None:
    expected = [row["id"] for row in stored.rows if holds(row)]
    assert ids(await make.pages(stored.path, limit, **query)) == expected
    for sort in ("score", "latency"):
        found = ids(await make.pages(stored.path, limit, **query, sort=sort, order="desc"))
        assert sorted(found) == sorted(expected)


async def test_of_one_item(make: Any, stored: Stored) -> None:
    item = stored.rows[8]["dataset_item_id"]
    [page] = await make.pages(stored.path, 200, item_id=item)
    assert [row["id"] for row in page] == [row["id"] for row in stored.rows[8:12]]
    assert page[1]["failed_assertions"] == stored.rows[9]["failed_assertions"]
    assert (page[0]["latency_ms"], page[0]["cost"]) == (stored.rows[8]["latency_ms"], 0.0)


@pytest.mark.parametrize("limit", [9, 200])
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("sort", ["score", "cost", "latency", "item"])
async def test_sorts(make: Any, stored: Stored, sort: str, descending: bool, limit: int) -> None:
    name = {"latency": "latency_ms", "item": "dataset_item_id"}.get(sort, sort)
    rows = stored.rows[::-1] if descending else stored.rows
    rows = sorted(rows, key=lambda r: -1 if r[name] is None else r[name], reverse=descending)
    order = "desc" if descending else "asc"
    pages = await make.pages(stored.path, limit, sort=sort, order=order)
    assert ids(pages) == [row["id"] for row in rows]
    assert all(len(page) == limit for page in pages[:-1])


async def test_a_search_looks_at_a_part_of_the_run_at_a_time(
    make: Any, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOKED_AT", 15)
    expected = [r["id"] for r in stored.rows if r["output"] and "answer is 7" in r["output"]]
    pages = await make.pages(stored.path, 10, search="answer is 7")
    assert ids(pages) == expected
    assert len(pages) == 6
    assert any(not page for page in pages)


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "nothing"},
        {"order": "up"},
        {"passed": "perhaps"},
        {"search": ""},
        {"search": "x" * 201},
        {"search": "\x00"},
        {"model": "\x00"},
        {"item_id": "1"},
        {"repetition": -1},
        {"repetition": 100},
        {"cursor": "x"},
    ],
)
async def test_bad_queries(make: Any, stored: Stored, query: Row) -> None:
    problem = await make.call("GET", stored.path, 422, **query)
    assert problem["errors"][0]["place"].endswith(next(iter(query)))


async def test_a_cursor_of_another_order_is_refused(
    client: httpx2.AsyncClient, make: Any, stored: Stored
) -> None:
    response = await client.get(f"/api/v1{stored.path}?limit=5&sort=score")
    cursor = httpx2.URL(response.links["next"]["url"]).params["cursor"]
    await make.call("GET", stored.path, 200, sort="score", cursor=cursor)
    await make.call("GET", stored.path, 422, sort="score", order="desc", cursor=cursor)
    await make.call("GET", stored.path, 422, sort="cost", cursor=cursor)


async def test_a_page_takes_three_queries_however_many_rows(
    client: httpx2.AsyncClient, stored: Stored, count_queries: Any
) -> None:
    with count_queries() as queries:
        response = await client.get(f"/api/v1{stored.path}?limit=80&sort=latency")
    assert len(response.json()) == 80
    assert len(queries) == 3
