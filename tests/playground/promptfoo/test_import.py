from typing import Any

import pytest
from tests.playground.conftest import Factory

CONFIGURATION = """
description: Sorting messages
prompts:
  - "Sort this: {{message}}"
  - file://chat.json
providers:
  - id: echo
    label: parrot
    config: {temperature: 0}
evaluateOptions: {maxConcurrency: 4}
tests:
  - description: A parcel
    vars: {message: Where is it?}
    metadata: {source: mail}
    assert:
      - {type: icontains, value: where}
      - {type: python, value: x}
  - vars: {message: Money back}
scenarios: []
"""
FILES = {"chat.json": '[{"role": "user", "content": "{{message}}"}]'}


async def test_a_configuration_becomes_prompts_a_dataset_and_runs(make: Factory) -> None:
    project = await make.project()
    body = {"project_id": project["id"], "configuration": CONFIGURATION, "files": FILES}
    made = await make.call("POST", "/promptfoo/import", 201, body)
    use_case = await make.call("GET", f"/use-cases/{made['use_case_id']}", 200)
    assert use_case["name"] == "Sorting messages"
    assert [prompt["name"] for prompt in made["prompts"]] == ["prompt 1", "chat.json"]
    items = await make.call("GET", f"/datasets/{made['dataset_id']}/items", 200)
    assert [item["input"] for item in items] == [
        {"message": "Where is it?"},
        {"message": "Money back"},
    ]
    assert items[0]["metadata"] == {"source": "mail", "description": "A parcel"}
    assert items[0]["assertions"] == [{"type": "icontains", "value": "where"}]
    assert {each["place"] for each in made["left_out"]} == {
        "tests[0].assert[1].type",
        "scenarios",
    }


async def test_its_runs_can_be_started_as_they_are(make: Factory) -> None:
    project = await make.project()
    body = {"project_id": project["id"], "configuration": CONFIGURATION, "files": FILES}
    made = await make.call("POST", "/promptfoo/import", 201, body)
    for new in made["runs"]:
        run = await make.call("POST", "/eval-runs", 202, new)
        assert run["concurrency"] == 4
        assert run["models"][0]["label"] == "parrot"
        assert run["models"][0]["parameters"] == {"temperature": 0}


@pytest.mark.parametrize(
    ("changes", "status", "place", "message"),
    [
        ({"configuration": "prompts: ["}, 422, None, "cannot be read"),
        ({"configuration": {"prompts": ["x"]}}, 422, "providers", "missing"),
        ({"files": {}}, 422, "prompts[1]", "did not come along"),
        ({"configuration": "a: &a [*a]"}, 422, None, "nested"),
        ({"configuration": 5}, 422, "body.configuration", ""),
        ({"project_id": "019ab1de-6f00-7a11-8000-0b6c8d3e4f20"}, 404, None, "no project"),
    ],
)
async def test_what_cannot_be_imported_is_said(
    make: Factory, changes: dict[str, Any], status: int, place: str | None, message: str
) -> None:
    project = await make.project()
    body = {"project_id": project["id"], "configuration": CONFIGURATION, "files": FILES, **changes}
    problem = await make.call("POST", "/promptfoo/import", status, body)
    if place is None:
        assert message in problem["detail"]
    else:
        assert message in {each["place"]: each["message"] for each in problem["errors"]}[place]
    assert await make.call("GET", f"/projects/{project['id']}/use-cases", 200) == []


async def test_aliases_of_aliases_do_not_blow_up(make: Factory) -> None:
    project = await make.project()
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    body = {"project_id": project["id"], "configuration": "\n".join(lines)}
    problem = await make.call("POST", "/promptfoo/import", 422, body)
    assert "more than 5,000,000 values" in problem["detail"]
