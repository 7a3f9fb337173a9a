import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.playground.conftest import Factory, Row

CountQueries = Callable[[], AbstractContextManager[list[str]]]
STRICT: dict[str, Any] = {
    "input_schema": {
        "type": "object",
        "properties": {"message": {"type": "string"}, "lines": {"items": {"type": "integer"}}},
        "required": ["message"],
    },
    "expected_output_schema": {"enum": ["refund", "delivery"]},
}


def items_of(dataset: Row) -> str:
    return f"/datasets/{dataset['id']}/items"


async def test_create_read_change_delete(make: Factory) -> None:
    dataset = await make.dataset()
    fields = {
        "input": {"message": "Where is my parcel?"},
        "expected_output": ["a", 1, None],
        "assertions": [{"type": "contains", "value": "x"}],
        "metadata": {"source": "mail"},
    }
    made = await make.call("POST", items_of(dataset), 201, fields)
    assert {field: made[field] for field in fields} == fields
    assert made["dataset_id"] == dataset["id"]
    path = f"/dataset-items/{made['id']}"
    assert await make.call("GET", path, 200) == made
    assert await make.call("GET", items_of(dataset), 200) == [made]
    changed = await make.call("PATCH", path, 200, {"input": {"a": 1}, "metadata": {"b": 2}})
    assert (changed["input"], changed["metadata"]) == ({"a": 1}, {"b": 2})
    assert changed["expected_output"] == ["a", 1, None]
    nothing = {"expected_output": None, "assertions": None, "metadata": None}
    changed = await make.call("PATCH", path, 200, nothing)
    assert {field: changed[field] for field in nothing} == nothing
    problem = await make.call("PATCH", path, 422, {"input": None})
    assert problem["errors"][0]["place"] == "body.input"
    await make.call("DELETE", path, 204)
    await make.call("GET", path, 404)


async def test_thousand_items_in_one_insert_keep_their_order(
    make: Factory, count_queries: CountQueries
) -> None:
    dataset = await make.dataset(**STRICT)
    with count_queries() as queries:
        made = await make.items(dataset["id"], 1000)
    assert sum(query.startswith("INSERT INTO playground.") for query in queries) == 1
    assert len(queries) == 5, "who may, the schema, the items, the audit, the event"
    messages = [f"message {number}" for number in range(1000)]
    assert [item["input"]["message"] for item in made] == messages
    pages = await make.pages(items_of(dataset), limit=200)
    assert [item for page in pages for item in page] == made
    read = await make.call("GET", f"/datasets/{dataset['id']}", 200)
    assert read["counts"]["items"] == 1000


async def test_concurrent_batches_keep_their_own_order(make: Factory) -> None:
    dataset = await make.dataset()
    await asyncio.gather(*(make.items(dataset["id"], 50) for _ in range(8)))
    listed = await make.call("GET", items_of(dataset), 200, limit=200)
    assert len(listed) == 200
    pages = await make.pages(items_of(dataset), limit=200)
    ids = [item["id"] for page in pages for item in page]
    assert len(set(ids)) == 400
    assert ids == sorted(ids)


async def test_a_batch_is_all_or_nothing_and_names_each_fault(make: Factory) -> None:
    dataset = await make.dataset(**STRICT)
    items: list[Row] = [
        {"input": {"message": "fine"}, "expected_output": "refund"},
        {"input": {"message": 3, "lines": [1, "two"]}},
        {"input": {}},
        {"input": {"message": "fine"}, "expected_output": "other"},
        {"input": {"message": "fine"}, "expected_output": None},
    ]
    problem = await make.call("POST", items_of(dataset), 422, {"items": items})
    assert problem["detail"] == "The items do not fit the schemas of their dataset."
    assert sorted(fault["place"] for fault in problem["errors"]) == [
        "body.items[1].input.lines[1]",
        "body.items[1].input.message",
        "body.items[2].input.message",
        "body.items[3].expected_output",
    ]
    assert await make.call("GET", items_of(dataset), 200) == []


async def test_one_item_and_patches_are_held_against_the_schemas(make: Factory) -> None:
    dataset = await make.dataset(**STRICT)
    problem = await make.call("POST", items_of(dataset), 422, {"input": {"message": 1}})
    assert [fault["place"] for fault in problem["errors"]] == ["body.input.message"]
    item = await make.call("POST", items_of(dataset), 201, {"input": {"message": "m"}})
    path = f"/dataset-items/{item['id']}"
    problem = await make.call("PATCH", path, 422, {"expected_output": "other"})
    assert [fault["place"] for fault in problem["errors"]] == ["body.expected_output"]
    await make.call("PATCH", path, 200, {"expected_output": "refund"})


async def test_a_new_schema_holds_from_then_on(make: Factory) -> None:
    dataset = await make.dataset()
    item = (await make.items(dataset["id"], 1))[0]
    strict = {"input_schema": {"required": ["question"]}}
    await make.call("PATCH", f"/datasets/{dataset['id']}", 200, strict)
    path = f"/dataset-items/{item['id']}"
    assert await make.call("GET", path, 200) == item
    await make.call("PATCH", path, 200, {"metadata": {"seen": True}})
    await make.call("PATCH", path, 422, {"input": {"message": "x"}})


async def test_at_most_a_hundred_faults_are_listed(make: Factory) -> None:
    dataset = await make.dataset(**STRICT)
    body: Row = {"items": [{"input": {}}] * 300}
    problem = await make.call("POST", items_of(dataset), 422, body)
    assert len(problem["errors"]) == 100


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body.input"),
        ({"input": []}, "body.input"),
        ({"input": {"a": [{"b": "x\0"}]}}, "body.input.a[0].b"),
        ({"input": {}, "expected_output": {"a": ["\0"]}}, "body.expected_output.a[0]"),
        ({"input": {}, "metadata": {"a": 2**70}}, "body.metadata.a"),
        ({"input": {}, "metadata": []}, "body.metadata"),
        ({"input": {}, "output": 1}, "body.output"),
        ({"input": {}, "assertions": [{"type": "contains"}]}, "body.assertions[0].value"),
        ({"items": []}, "body.items"),
        ({"items": [{"input": {}}] * 1001}, "body.items"),
        ({"items": [{"input": {}}, {"inputs": {}}]}, "body.items[1].input"),
        ({"items": [{"input": {}}, {"input": {"a": "\0"}}]}, "body.items[1].input.a"),
        (
            {"items": [{"input": {}, "assertions": [{"type": "regex", "value": "["}]}]},
            "body.items[0].assertions[0].value",
        ),
        ({"items": [{"input": {}}], "input": {}}, "body.input"),
        ([{"input": {}}], "body"),
    ],
)
async def test_faulty_items_are_422_with_their_place(make: Factory, body: Any, place: str) -> None:
    dataset = await make.dataset()
    problem = await make.call("POST", items_of(dataset), 422, body)
    assert problem["errors"][0]["place"] == place
    assert await make.call("GET", items_of(dataset), 200) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (r'{"input": {"a": ["\udfff"]}}', "body.input.a[0]"),
        (r'{"input": {"\udfff": 1}}', "body.input"),
        (r'{"input": {"a": NaN}}', "body.input.a"),
        (r'{"input": {"a": -1e999}}', "body.input.a"),
        (r'{"input": {"a": "\ud83d\ude00 \\u0000"}}', None),
        (r'{"input": {"a": [1e308, 0.1, -9223372036854775808, 18446744073709551615]}}', None),
        ('{"input": ' + '{"a":' * 800 + "1" + "}" * 801, "body.input" + ".a" * 100),
    ],
)
async def test_values_at_the_edge_of_json(
    make: Factory, client: httpx2.AsyncClient, text: str, place: str | None
) -> None:
    dataset = await make.dataset()
    response = await client.post(
        f"/api/v1{items_of(dataset)}", content=text, headers={"Content-Type": "application/json"}
    )
    if place is None:
        assert response.status_code == 201, response.text
        read = await make.call("GET", f"/dataset-items/{response.json()['id']}", 200)
        assert read["input"] == httpx2.Response(200, text=text).json()["input"]
    else:
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["place"] == place


async def test_json_nested_beyond_reading_is_no_server_error(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset()
    text = '{"input": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}"
    response = await client.post(
        f"/api/v1{items_of(dataset)}", content=text, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 422)


async def test_unknown_ids_are_404(make: Factory) -> None:
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        problem = await make.call(method, f"/dataset-items/{uuid4()}", 404, body)
        assert problem["detail"] == "There is no dataset item with this id."
    path = f"/datasets/{uuid4()}/items"
    assert (await make.call("GET", path, 404))["detail"] == "There is no dataset with this id."
    await make.call("POST", path, 404, {"input": {}})
