"""A run is about the items as they were when it was made, whatever has become of them."""

from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.usefixtures("worker")


async def ask(client: httpx2.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    response = await client.request(method, f"/api/v1{path}", json=body)
    assert response.is_success, response.text
    return response.json() if response.content else None


async def test_cells_asked_later_are_those_of_the_version_of_the_run(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    default = {"default_assertions": [{"type": "icontains", "value": "WORD"}]}
    parts = await make_parts(3, dataset=default)
    model, server = await scripted(models=("another",))
    run = await ended_run((await start_run(parts.body(model)))["id"])
    assert run["progress"]["errors"] == 3

    changed, gone, twice = (f"/dataset-items/{id_}" for id_ in parts.item_ids)
    await ask(client, "PATCH", changed, {"input": {"word": "new"}, "expected_output": "new"})
    await ask(client, "DELETE", gone)
    for word in ("newer", "newest"):
        fields = {"input": {"word": word}, "assertions": [{"type": "equals", "value": "no"}]}
        await ask(client, "PATCH", twice, fields)
    await ask(client, "POST", f"/datasets/{parts.dataset_id}/items", {"input": {"word": "more"}})
    nothing = {"default_assertions": [{"type": "equals", "value": "no"}]}
    await ask(client, "PATCH", f"/datasets/{parts.dataset_id}", nothing)

    server.models = ()
    again = await ask(client, "POST", f"/eval-runs/{run['id']}/rerun-failed", {"what": "errors"})
    run = await ended_run(again["id"])
    assert (run["progress"]["total"], run["progress"]["passed"]) == (3, 3)
    results = await ask(client, "GET", f"/eval-runs/{run['id']}/results")
    assert [result["dataset_item_id"] for result in results] == parts.item_ids
    asked = [result["request"]["messages"][-1]["content"] for result in results]
    assert asked == ["Say word-0", "Say word-1", "Say word-2"]
    exported = await client.get(f"/api/v1/eval-runs/{run['id']}/export?format=csv")
    assert [f"word-{number}" in exported.text for number in range(3)] == [True] * 3
    assert "new" not in exported.text

    newer = await start_run(parts.body(model))
    newer = await ended_run(newer["id"])
    assert newer["progress"]["total"] == 3
    results = await ask(client, "GET", f"/eval-runs/{newer['id']}/results")
    asked = [result["request"]["messages"][-1]["content"] for result in results]
    assert asked == ["Say new", "Say newest", "Say more"]
