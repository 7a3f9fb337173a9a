"""Items that do not fit the schema of the prompt's variables are found before anything starts."""

from typing import Any

import pytest
from tests.playground.conftest import Factory

from assay.playground.runs import item_schema


async def start(make: Factory, items: list[Any], version: dict[str, Any], status: int) -> Any:
    use_case = await make.use_case()
    prompt = await make.prompt(use_case["id"])
    made = await make.version(prompt["id"], type="text", **version)
    dataset = await make.dataset(use_case["id"])
    content = {"items": [{"input": item} for item in items]}
    ids = await make.call("POST", f"/datasets/{dataset['id']}/items", 201, content)
    body = {
        "prompt_version_id": made["id"],
        "dataset_id": dataset["id"],
        "models": [{"model": "builtin/echo"}],
    }
    answer = await make.call("POST", "/eval-runs", status, body)
    if status == 202:
        await make.call("POST", f"/eval-runs/{answer['id']}/cancel", 200)
    return answer, [item["id"] for item in ids]


SCHEMA = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "maxLength": 5},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
    },
    "required": ["message"],
}


async def test_the_authors_schema_is_held(make: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_schema, "_BATCH", 2)
    version = {"template_text": "{{ message }}", "variables_schema": SCHEMA}
    good = [{"message": "short"}, {"message": "", "tags": ["a"]}, {"message": "x", "more": 1}]
    await start(make, good, version, 202)
    bad = [*good, {"message": "too long"}, {"message": "x", "tags": ["a", "c"]}]
    problem, ids = await start(make, bad, version, 422)
    assert [fault["place"] for fault in problem["errors"]] == [f"item {id_}" for id_ in ids[3:]]
    assert problem["errors"][0]["message"].startswith("input.message: ")
    assert problem["errors"][1]["message"].startswith("input.tags[1]: ")
    assert "variables_schema" in problem["detail"]
    problem, _ = await start(make, [{"message": "too long"}] * 9, version, 422)
    assert len(problem["errors"]) == 5


async def test_what_the_template_tells_is_held_too(make: Factory) -> None:
    version = {"template_text": "{% for x in names %}{{ x }}{% endfor %}"}
    await start(make, [{"names": []}], version, 202)
    problem, [item] = await start(make, [{"names": 3}], version, 422)
    assert problem["errors"][0]["place"] == f"item {item}"
    assert problem["errors"][0]["message"].startswith("input.names: ")


async def test_no_more_items_are_read_than_somebody_waits_for(
    make: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_schema, "MOST_CHECKED", 2)
    version = {"template_text": "{{ message }}", "variables_schema": SCHEMA}
    await start(make, [{"message": "a"}, {"message": "b"}, {"message": "too long"}], version, 202)
