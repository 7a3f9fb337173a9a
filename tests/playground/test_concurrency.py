"""What is deleted under the hands of another request is 404 there, never a server error."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx2
import pytest
from tests.playground.conftest import Factory

CREATE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "use case": ("POST", "/projects/{project}/use-cases", {"name": "x"}),
    "prompt": ("POST", "/use-cases/{use_case}/prompts", {"name": "x"}),
    "dataset": ("POST", "/use-cases/{use_case}/datasets", {"name": "x"}),
    "version": ("POST", "/prompts/{prompt}/versions", {"type": "text", "template_text": "x"}),
    "label": ("PUT", "/prompts/{prompt}/labels/live", {"version_number": 1}),
    "gate": ("PUT", "/prompts/{prompt}/labels/live/gate", {"min_pass_rate": 0.5}),
    "gate delete": ("DELETE", "/prompts/{prompt}/labels/guarded/gate", {}),
    "protected label": ("PUT", "/prompts/{prompt}/labels/guarded", {"version_number": 1}),
    "completion": (
        "POST",
        "/prompt-versions/{version}/complete",
        {"model": "builtin/echo", "variables": {"message": "Hi"}},
    ),
    "items": ("POST", "/datasets/{dataset}/items", {"items": [{"input": {}}] * 20}),
    "project patch": ("PATCH", "/projects/{project}", {"name": "y"}),
    "prompt patch": ("PATCH", "/prompts/{prompt}", {"name": "y"}),
    "item patch": ("PATCH", "/dataset-items/{item}", {"metadata": {}}),
    "version delete": ("DELETE", "/prompt-versions/{version}", {}),
}


@pytest.mark.parametrize("case", CREATE)
async def test_parent_deleted_meanwhile(
    make: Factory, client: httpx2.AsyncClient, case: str
) -> None:
    method, template, body = CREATE[case]
    for head_start in range(4):
        use_case = await make.use_case()
        prompt, dataset = await make.prompt(use_case["id"]), await make.dataset(use_case["id"])
        version = await make.version(prompt["id"])
        item = (await make.items(dataset["id"], 1))[0]
        gate = {"dataset_id": dataset["id"], "min_pass_rate": 0.5}
        guarded = f"/prompts/{prompt['id']}/labels/guarded/gate"
        await make.call("PUT", guarded, 200, gate)
        if case == "gate":
            body = gate
        path = template.format(
            project=use_case["project_id"],
            use_case=use_case["id"],
            prompt=prompt["id"],
            version=version["id"],
            dataset=dataset["id"],
            item=item["id"],
        )
        requests: list[Coroutine[Any, Any, httpx2.Response]] = [
            client.request(method, f"/api/v1{path}", json=body) for _ in range(6)
        ]
        deletion = client.delete(f"/api/v1/projects/{use_case['project_id']}")
        requests.insert(head_start, deletion)
        responses = await asyncio.gather(*requests)
        assert responses.pop(head_start).status_code == 204
        # 409: nothing has met the gate of the protected label.
        assert {response.status_code for response in responses} <= {200, 201, 204, 404, 409}


async def test_versions_and_labels_at_the_same_time(make: Factory) -> None:
    """No number is given twice, and no label is ever seen on two versions."""
    prompt = await make.prompt()
    path = f"/prompts/{prompt['id']}"
    await asyncio.gather(*(make.version(prompt["id"]) for _ in range(3)))
    seen: list[list[str]] = []

    async def move(number: int) -> None:
        body = {"version_number": 1 + number % 3}
        await make.call("PUT", f"{path}/labels/live", 200, body)

    async def look() -> None:
        versions = await make.call("GET", f"{path}/versions", 200)
        seen.append([label for version in versions for label in version["labels"]])

    async def make_one(_number: int) -> None:
        await make.version(prompt["id"])

    await move(0)
    await asyncio.gather(
        *(act(number) for number in range(12) for act in (move, make_one)),
        *(look() for _ in range(8)),
    )
    assert set(map(tuple, seen)) == {("live",)}
    versions = await make.call("GET", f"{path}/versions", 200)
    assert [version["version_number"] for version in versions] == list(range(15, 0, -1))
    assert sum(version["labels"] == ["live"] for version in versions) == 1


async def test_a_label_is_not_put_on_a_version_that_is_being_deleted(make: Factory) -> None:
    for _ in range(5):
        version = await make.version()
        label = f"/api/v1/prompts/{version['prompt_id']}/labels/live"
        client = make._client
        put, deleted = await asyncio.gather(
            client.put(label, json={"version_number": 1}),
            client.delete(f"/api/v1/prompt-versions/{version['id']}"),
        )
        assert (put.status_code, deleted.status_code) in {(200, 409), (404, 204)}
