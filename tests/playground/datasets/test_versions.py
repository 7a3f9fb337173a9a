"""Each change of items is a version of the dataset, and earlier ones can be read."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.playground.conftest import Factory, Row
from tests.playground.datasets.importing import version_of

from assay.core.database import Database
from assay.playground.runs.models import EvalRun


async def messages(make: Factory, dataset: Row, version: int | None = None) -> list[Any]:
    query = {} if version is None else {"version": version}
    pages = await make.pages(f"/datasets/{dataset['id']}/items", 2, **query)
    return [item["input"]["message"] for page in pages for item in page]


async def test_each_change_of_items_is_a_version(make: Factory) -> None:
    dataset = await make.dataset()
    assert dataset["version"] == 0
    first, second, third = await make.items(dataset["id"], 3)
    assert await version_of(make, dataset) == 1, "one for the whole batch"
    await make.call("PATCH", f"/dataset-items/{first['id']}", 200, {"input": {"message": "A"}})
    await make.call("DELETE", f"/dataset-items/{second['id']}", 204)
    await make.items(dataset["id"], 1)
    await make.call("PATCH", f"/dataset-items/{first['id']}", 200, {"input": {"message": "B"}})
    await make.call("DELETE", f"/dataset-items/{first['id']}", 204)
    assert await version_of(make, dataset) == 6
    assert third["input"]["message"] == "message 2"
    history = [await messages(make, dataset, version) for version in range(7)]
    assert history == [
        [],
        ["message 0", "message 1", "message 2"],
        ["A", "message 1", "message 2"],
        ["A", "message 2"],
        ["A", "message 2", "message 0"],
        ["B", "message 2", "message 0"],
        ["message 2", "message 0"],
    ]
    assert await messages(make, dataset) == history[-1]
    read = await make.call("GET", f"/datasets/{dataset['id']}", 200)
    assert read["counts"]["items"] == 2


async def test_what_is_read_of_an_earlier_version_is_all_of_an_item(make: Factory) -> None:
    dataset = await make.dataset()
    fields = {
        "input": {"message": "m"},
        "expected_output": ["x", None],
        "assertions": [{"type": "contains", "value": "x"}],
        "metadata": {"a": 1},
    }
    path = f"/datasets/{dataset['id']}/items"
    made = await make.call("POST", path, 201, fields)
    nothing = {"expected_output": None, "assertions": None, "metadata": None}
    await make.call("PATCH", f"/dataset-items/{made['id']}", 200, nothing)
    [earlier] = await make.call("GET", path, 200, version=1)
    assert {**earlier, "updated_at": None} == {**made, "updated_at": None}
    [later] = await make.call("GET", path, 200, version=2)
    assert {name: later[name] for name in nothing} == nothing


async def test_what_changes_nothing_makes_no_version(make: Factory) -> None:
    dataset = await make.dataset()
    [item] = await make.items(dataset["id"], 1)
    path = f"/dataset-items/{item['id']}"
    assert await make.call("PATCH", path, 200, {}) == item
    assert await make.call("PATCH", path, 200, {"input": item["input"]}) == item
    await make.call("PATCH", f"/datasets/{dataset['id']}", 200, {"name": "April"})
    refused = {"items": [{"input": {}, "assertions": [{"type": "contains"}]}]}
    await make.call("POST", f"/datasets/{dataset['id']}/items", 422, refused)
    assert await version_of(make, dataset) == 1


async def test_items_refused_by_a_schema_take_no_version(make: Factory) -> None:
    dataset = await make.dataset(input_schema={"required": ["message"]})
    [item] = await make.items(dataset["id"], 1)
    await make.call("POST", f"/datasets/{dataset['id']}/items", 422, {"input": {}})
    await make.call("PATCH", f"/dataset-items/{item['id']}", 422, {"input": {}})
    assert await version_of(make, dataset) == 1


async def test_a_deleted_item_is_not_there(make: Factory) -> None:
    dataset = await make.dataset()
    [item] = await make.items(dataset["id"], 1)
    path = f"/dataset-items/{item['id']}"
    await make.call("DELETE", path, 204)
    for method, body in (("GET", None), ("PATCH", {"metadata": {}}), ("DELETE", None)):
        await make.call(method, path, 404, body)
    assert await version_of(make, dataset) == 2


async def test_versions_that_never_were_are_404(make: Factory) -> None:
    dataset = await make.dataset()
    path = f"/datasets/{dataset['id']}/items"
    problem = await make.call("GET", path, 404, version=1)
    assert problem["detail"] == "The dataset has no version 1; it is at 0."
    for version in (-1, 2**31):
        await make.call("GET", path, 422, version=version)
    await make.call("GET", f"/datasets/{uuid4()}/items", 404, version=0)


async def test_with_the_dataset_all_of_it_goes(make: Factory, database: Database) -> None:
    dataset = await make.dataset()
    [item] = await make.items(dataset["id"], 1)
    await make.call("PATCH", f"/dataset-items/{item['id']}", 200, {"input": {"message": "A"}})
    await make.call("DELETE", f"/dataset-items/{item['id']}", 204)
    await make.call("DELETE", f"/datasets/{dataset['id']}", 204)
    async with database.session() as session:
        for table, column in (("dataset_items", "id"), ("dataset_item_revisions", "item_id")):
            rows = text(f"SELECT count(*) FROM playground.{table} WHERE {column} = :id")
            assert await session.scalar(rows, {"id": UUID(item["id"])}) == 0


async def test_concurrent_changes_never_share_a_version(make: Factory, database: Database) -> None:
    """Of many changes at once each gets its own version, which says what it did and no more."""
    dataset = await make.dataset()
    kept = await make.items(dataset["id"], 12)
    paths = [f"/dataset-items/{item['id']}" for item in kept]
    await asyncio.gather(
        *(make.call("PATCH", path, 200, {"input": {"message": "A"}}) for path in paths[:6]),
        *(make.call("PATCH", paths[0], 200, {"input": {"message": f"B{n}"}}) for n in range(4)),
        *(make.call("DELETE", path, 204) for path in paths[6:]),
        *(make.items(dataset["id"], 2) for _ in range(6)),
    )
    assert await version_of(make, dataset) == 1 + 6 + 4 + 6 + 6
    async with database.session() as session:
        changes = text("""
            WITH mine AS (SELECT * FROM playground.dataset_items WHERE dataset_id = :id)
            SELECT version, count(DISTINCT what) FROM (
                SELECT created_in, 'made' FROM mine
                UNION ALL SELECT deleted_in, 'gone' FROM mine WHERE deleted_in IS NOT NULL
                UNION ALL SELECT changed_in, id::text FROM mine WHERE changed_in > created_in
                UNION ALL SELECT from_version, item_id::text FROM playground.dataset_item_revisions
                    JOIN mine ON mine.id = item_id WHERE from_version > created_in
            ) AS changes (version, what) GROUP BY version ORDER BY version
        """)
        rows = (await session.execute(changes, {"id": UUID(dataset["id"])})).all()
    assert [tuple(row) for row in rows] == [(version, 1) for version in range(1, 24)]


async def test_two_deletions_of_one_item_are_one(make: Factory) -> None:
    dataset = await make.dataset()
    [item] = await make.items(dataset["id"], 1)

    async def delete() -> int:
        response = await make._client.delete(f"/api/v1/dataset-items/{item['id']}")
        return response.status_code

    assert sorted(await asyncio.gather(*(delete() for _ in range(5)))) == [204, *[404] * 4]
    assert await version_of(make, dataset) == 2


STEP = st.tuples(st.sampled_from(["make", "change", "delete"]), st.integers(0, 5))


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEP, min_size=1, max_size=12))
async def test_every_version_is_as_it_was_whatever_came_after(
    make: Factory, steps: list[tuple[str, int]]
) -> None:
    dataset = await make.dataset()
    there: list[Row] = []
    history: list[list[Any]] = [[]]
    for number, (what, place) in enumerate(steps):
        if what == "make":
            body = {"input": {"message": number}}
            there.append(await make.call("POST", f"/datasets/{dataset['id']}/items", 201, body))
        elif not there:
            continue
        else:
            path = f"/dataset-items/{there[place % len(there)]['id']}"
            if what == "delete":
                await make.call("DELETE", path, 204)
                del there[place % len(there)]
            else:
                changed = await make.call("PATCH", path, 200, {"input": {"message": number}})
                there[place % len(there)] = changed
        history.append([item["input"]["message"] for item in there])
    for version, expected in enumerate(history):
        assert await messages(make, dataset, version) == expected
    assert await messages(make, dataset) == history[-1]


async def test_a_dataset_that_guards_a_label_stays(make: Factory) -> None:
    use_case = await make.use_case()
    prompt = await make.prompt(use_case["id"], name="Intent")
    dataset = await make.dataset(use_case["id"])
    gate = {"dataset_id": dataset["id"], "min_pass_rate": 0.9}
    response = await make._client.put(
        f"/api/v1/prompts/{prompt['id']}/labels/production/gate", json=gate
    )
    assert response.is_success, response.text
    problem = await make.call("DELETE", f"/datasets/{dataset['id']}", 409)
    assert problem["code"] == "dataset_guards_label"
    assert "The label production of the prompt Intent is held against this" in problem["detail"]


@pytest.mark.parametrize("dataset_assertions", [None, [{"type": "contains", "value": "x"}]])
async def test_a_run_keeps_the_default_assertions_of_its_start(
    make: Factory, database: Database, dataset_assertions: Any
) -> None:
    use_case = await make.use_case()
    version = await make.version((await make.prompt(use_case["id"]))["id"])
    dataset = await make.dataset(use_case["id"], default_assertions=dataset_assertions)
    await make.items(dataset["id"], 1)
    start = {
        "prompt_version_id": version["id"],
        "dataset_id": dataset["id"],
        "models": [{"model": "builtin/echo"}],
    }
    run = await make.call("POST", "/eval-runs", 202, start)
    later = {"default_assertions": [{"type": "equals", "value": "later"}]}
    await make.call("PATCH", f"/datasets/{dataset['id']}", 200, later)
    async with database.session() as session:
        stored = await session.get_one(EvalRun, UUID(run["id"]))
    assert stored.dataset_version == 1
    assert stored.dataset_assertions == dataset_assertions
