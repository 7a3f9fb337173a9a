from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from tests.playground.conftest import Factory

CountQueries = Callable[[], AbstractContextManager[list[str]]]
SCHEMA = {"type": "object", "properties": {"message": {"type": "string"}}}
ASSERTIONS: list[dict[str, Any]] = [
    {"type": "equals", "value": "{{ expected_output }}"},
    {"type": "assert-set", "assert": [{"type": "contains", "value": "a", "weight": 2}]},
]


async def test_create_read_change_delete(make: Factory) -> None:
    use_case = await make.use_case()
    made = await make.dataset(
        use_case["id"],
        name="March",
        input_schema=SCHEMA,
        expected_output_schema={"enum": ["a", "b"]},
        default_assertions=ASSERTIONS,
    )
    assert made["use_case_id"] == use_case["id"]
    assert made["input_schema"] == SCHEMA
    assert made["expected_output_schema"] == {"enum": ["a", "b"]}
    assert made["default_assertions"] == ASSERTIONS
    assert made["counts"] == {"items": 0, "runs": 0}
    path = f"/datasets/{made['id']}"
    assert await make.call("GET", path, 200) == made
    assert await make.call("GET", f"/use-cases/{use_case['id']}/datasets", 200) == [made]
    changed = await make.call("PATCH", path, 200, {"name": "April", "input_schema": None})
    assert changed["name"] == "April"
    assert changed["input_schema"] is None
    assert changed["default_assertions"] == ASSERTIONS
    changed = await make.call("PATCH", path, 200, {"default_assertions": ASSERTIONS[:1]})
    assert changed["default_assertions"] == ASSERTIONS[:1]
    changed = await make.call("PATCH", path, 200, {"default_assertions": None})
    assert changed["default_assertions"] is None
    problem = await make.call("PATCH", path, 422, {"name": None})
    assert problem["errors"][0]["place"] == "body.name"
    await make.call("DELETE", path, 204)
    await make.call("GET", path, 404)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"input_schema": {"type": "strong"}}, "body.input_schema.type"),
        ({"input_schema": []}, "body.input_schema"),
        ({"input_schema": {"description": "a\0"}}, "body.input_schema.description"),
        ({"expected_output_schema": {"pattern": "("}}, "body.expected_output_schema.pattern"),
        ({"default_assertions": {}}, "body.default_assertions"),
        ({"default_assertions": [{"type": "equal"}]}, "body.default_assertions[0].type"),
        (
            {"default_assertions": [ASSERTIONS[0], {"type": "regex", "value": "("}]},
            "body.default_assertions[1].value",
        ),
        (
            {"default_assertions": [{"type": "contains", "value": "{{"}]},
            "body.default_assertions[0].value",
        ),
        (
            {"default_assertions": [{"type": "assert-set", "assert": [{"type": "contains"}]}]},
            "body.default_assertions[0].assert[0].value",
        ),
        (
            {"default_assertions": [{"type": "contains", "value": "a\0"}]},
            "body.default_assertions[0].value",
        ),
        (
            {"default_assertions": [{"type": "contains", "valeu": "a"}]},
            "body.default_assertions[0].valeu",
        ),
    ],
)
async def test_faulty_dataset_is_422_with_its_place(
    make: Factory, fields: dict[str, Any], place: str
) -> None:
    use_case = await make.use_case()
    path = f"/use-cases/{use_case['id']}/datasets"
    problem = await make.call("POST", path, 422, {"name": "x", **fields})
    assert problem["errors"][0]["place"] == place
    dataset = await make.dataset(use_case["id"])
    problem = await make.call("PATCH", f"/datasets/{dataset['id']}", 422, fields)
    assert problem["errors"][0]["place"] == place
    assert await make.call("GET", f"/datasets/{dataset['id']}", 200) == dataset


async def test_counts_of_items_and_runs(make: Factory) -> None:
    use_case = await make.use_case()
    prompt = await make.prompt(use_case["id"])
    version = await make.version(prompt["id"])
    dataset, other = [await make.dataset(use_case["id"]) for _ in range(2)]
    await make.items(dataset["id"], 3)
    await make.items(other["id"], 1)
    await make.run(version["id"], dataset["id"])
    read = await make.call("GET", f"/datasets/{dataset['id']}", 200)
    assert read["counts"] == {"items": 3, "runs": 1}


async def test_list_pages_newest_first_in_one_query_each(
    make: Factory, count_queries: CountQueries
) -> None:
    use_case = await make.use_case()
    made = [(await make.dataset(use_case["id"]))["id"] for _ in range(5)]
    path = f"/use-cases/{use_case['id']}/datasets"
    with count_queries() as queries:
        pages = await make.pages(path, limit=2)
    assert [row["id"] for page in pages for row in page] == made[::-1]
    assert len(queries) == len(pages) == 3


async def test_unknown_ids_are_404(make: Factory) -> None:
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        problem = await make.call(method, f"/datasets/{uuid4()}", 404, body)
        assert problem["detail"] == "There is no dataset with this id."
    path = f"/use-cases/{uuid4()}/datasets"
    await make.call("GET", path, 404)
    await make.call("POST", path, 404, {"name": "x"})
