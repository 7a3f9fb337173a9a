"""The grid of a run."""

import itertools
from typing import Any

import httpx2
import pytest
from tests.playground.stored_runs import store_run

from assay.core.database import Database
from assay.playground.runs.results import matrix

Row = dict[str, Any]

GOOD: list[tuple[bool, ...]] = [
    (True, True),
    (True, True),
    (True, False),
    (False, False),
    (True, True),
]
BAD: list[tuple[bool, ...]] = [(True, True), (False, False), (True, False), (False, False), (True,)]


@pytest.fixture
async def parts(make: Any) -> tuple[Row, Row, list[str]]:
    """A version, a dataset, and the ids of its items."""
    use_case = await make.use_case()
    version = await make.version((await make.prompt(use_case["id"]))["id"])
    dataset = await make.dataset(use_case["id"])
    return version, dataset, [item["id"] for item in await make.items(dataset["id"], 5)]


async def stored(database: Database, parts: Any, **fields: Any) -> str:
    version, dataset, items = parts
    outcomes = {"a/good": GOOD, "b/bad": BAD}
    return await store_run(database, version, dataset["id"], items, outcomes, **fields)


async def test_a_row_for_each_item(make: Any, database: Database, parts: Any) -> None:
    run_id = await stored(database, parts)
    pages = await make.pages(f"/eval-runs/{run_id}/matrix", 2)
    assert [len(page) for page in pages] == [2, 2, 1]
    rows = list(itertools.chain(*pages))
    assert [row["dataset_item_id"] for row in rows] == parts[2]
    assert list(rows[0]["models"]) == ["a/good", "b/bad"]
    for outcomes, name in ((GOOD, "a/good"), (BAD, "b/bad")):
        passed = [tuple(cell["passed"] for cell in row["models"][name]) for row in rows]
        assert passed == outcomes
    [first, second] = rows[1]["models"]["a/good"]
    result = (await make.call("GET", f"/eval-runs/{run_id}/results", 200, limit=200))[4]
    assert first["id"] == result["id"]
    assert {**first, "id": 0} == {
        "id": 0,
        "repetition": 0,
        "passed": True,
        "score": 1.0,
        "error": False,
        "latency_ms": 101.0,
        "cost": 0.25,
        "output": "answer 1",
    }
    assert second["repetition"] == 1


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"pass_when": "all"}, [1]),
        ({"pass_when": "any"}, [1]),
        ({"pass_when": "mean"}, [1]),
        ({"pass_when": "mean", "threshold": 1.0}, [1]),
    ],
)
async def test_where_models_disagree(
    make: Any, database: Database, parts: Any, rule: Row, expected: list[int]
) -> None:
    run_id = await stored(database, parts, **rule)
    rows = await make.call("GET", f"/eval-runs/{run_id}/matrix", 200, show="disagreements")
    assert [row["dataset_item_id"] for row in rows] == [parts[2][place] for place in expected]
    assert set(rows[0]["models"]) == {"a/good", "b/bad"}


async def test_where_something_failed(make: Any, database: Database, parts: Any) -> None:
    run_id = await stored(database, parts)
    pages = await make.pages(f"/eval-runs/{run_id}/matrix", 1, show="failures")
    assert [page[0]["dataset_item_id"] for page in pages] == parts[2][1:4]


async def test_a_page_has_a_limit_of_cells(
    make: Any, database: Database, parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await stored(database, parts)
    monkeypatch.setattr(matrix, "CELLS_OF_PAGE", 9)
    pages = await make.pages(f"/eval-runs/{run_id}/matrix", 200)
    assert [len(page) for page in pages] == [2, 2, 1]


async def test_outputs_are_cut_and_errors_marked(
    make: Any, database: Database, parts: Any, client: httpx2.AsyncClient
) -> None:
    run_id = await stored(database, parts)
    connection = await database.connect()
    await connection.execute(
        "UPDATE playground.eval_results SET output = CASE WHEN repetition = 0 THEN repeat('ä', 300)"
        " END, error = CASE WHEN repetition = 1 THEN 'broken' END WHERE eval_run_id = $1",
        run_id,
    )
    await connection.close()
    [row, *_] = (await client.get(f"/api/v1/eval-runs/{run_id}/matrix")).json()
    first, second = row["models"]["a/good"]
    assert (first["output"], first["error"]) == ("ä" * 200, False)
    assert (second["output"], second["error"]) == (None, True)


async def test_bad_requests(make: Any, database: Database, parts: Any) -> None:
    run_id = await stored(database, parts)
    await make.call("GET", f"/eval-runs/{run_id}/matrix", 422, show="some")
    await make.call("GET", f"/eval-runs/{run_id}/matrix", 422, cursor="x")
    await make.call("GET", "/eval-runs/019ab1de-6f00-7a55-8000-3c1f2e5d7a90/matrix", 404)
