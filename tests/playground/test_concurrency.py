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
        assert {response.status_code for response in responses} <= {200, 201, 204, 404}
