from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.playground.conftest import Factory

CountQueries = Callable[[], AbstractContextManager[list[str]]]


async def test_create_read_change_delete(make: Factory) -> None:
    made = await make.project(name="Help desk", description="All bots")
    assert made["name"] == "Help desk"
    assert made["description"] == "All bots"
    assert made["counts"] == {"use_cases": 0, "prompts": 0, "datasets": 0, "runs": 0}
    path = f"/projects/{made['id']}"
    assert await make.call("GET", path, 200) == made
    changed = await make.call("PATCH", path, 200, {"name": "Service desk"})
    assert changed["name"] == "Service desk"
    assert changed["updated_at"] > made["updated_at"]
    assert changed["created_at"] == made["created_at"]
    assert await make.call("GET", path, 200) == changed
    assert await make.call("DELETE", path, 204) is None
    await make.call("GET", path, 404)


async def test_patch_null_clears_and_absent_leaves(make: Factory) -> None:
    path = f"/projects/{(await make.project(description='All bots'))['id']}"
    assert (await make.call("PATCH", path, 200, {}))["description"] == "All bots"
    assert (await make.call("PATCH", path, 200, {"description": None}))["description"] is None
    problem = await make.call("PATCH", path, 422, {"name": None})
    assert problem["errors"][0]["place"] == "body.name"


async def test_counts_are_of_what_is_inside(make: Factory) -> None:
    project, other = await make.project(), await make.project()
    use_case, second = [await make.use_case(project["id"]) for _ in range(2)]
    elsewhere = await make.use_case(other["id"])
    prompt = await make.prompt(use_case["id"])
    await make.prompt(second["id"])
    await make.prompt(elsewhere["id"])
    dataset = await make.dataset(use_case["id"])
    version = await make.version(prompt["id"])
    await make.run(version["id"], dataset["id"])
    read = await make.call("GET", f"/projects/{project['id']}", 200)
    assert read["counts"] == {"use_cases": 2, "prompts": 2, "datasets": 1, "runs": 1}
    read = await make.call("GET", f"/use-cases/{use_case['id']}", 200)
    assert read["counts"] == {"prompts": 1, "datasets": 1, "runs": 1}
    changed = await make.call("PATCH", f"/projects/{project['id']}", 200, {"name": "New"})
    assert changed["counts"]["prompts"] == 2


async def test_list_is_newest_first_and_pages_through_all(make: Factory) -> None:
    made = [(await make.project(name=f"Project {number}"))["id"] for number in range(5)]
    pages = await make.pages("/projects", limit=2)
    listed = [row["id"] for page in pages for row in page]
    assert listed[:5] == made[::-1]
    assert len(set(listed)) == len(listed)
    assert all(len(page) == 2 for page in pages[:-1])


async def test_list_costs_one_query_however_long(
    make: Factory, client: httpx2.AsyncClient, count_queries: CountQueries
) -> None:
    project = await make.project()
    for _ in range(4):
        await make.prompt((await make.use_case(project["id"]))["id"])
    for path in ("/projects", f"/projects/{project['id']}/use-cases"):
        with count_queries() as queries:
            rows = await make.call("GET", path, 200)
        assert len(rows) >= 4
        assert len(queries) == 1, queries


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", ["projects", "use-cases"])
async def test_unknown_id_is_404(make: Factory, kind: str, method: str) -> None:
    body: dict[str, Any] | None = {} if method == "PATCH" else None
    problem = await make.call(method, f"/{kind}/{uuid4()}", 404, body)
    assert problem["detail"] == f"There is no {kind[:-1].replace('-', ' ')} with this id."
    assert problem["code"] == "not_found"


async def test_use_cases_of_an_unknown_project(make: Factory) -> None:
    path = f"/projects/{uuid4()}/use-cases"
    await make.call("GET", path, 404)
    await make.call("POST", path, 404, {"name": "x"})


async def test_use_case_create_read_change_delete(make: Factory) -> None:
    project = await make.project()
    made = await make.use_case(project["id"], name="Sort", description="By intent")
    assert made["project_id"] == project["id"]
    assert made["counts"] == {"prompts": 0, "datasets": 0, "runs": 0}
    path = f"/use-cases/{made['id']}"
    assert await make.call("GET", path, 200) == made
    assert await make.call("GET", f"/projects/{project['id']}/use-cases", 200) == [made]
    changed = await make.call("PATCH", path, 200, {"description": None})
    assert changed["description"] is None
    assert changed["name"] == "Sort"
    await make.call("PATCH", path, 422, {"name": None})
    await make.call("DELETE", path, 204)
    await make.call("GET", path, 404)
    assert await make.call("GET", f"/projects/{project['id']}/use-cases", 200) == []


async def test_deleting_a_project_deletes_what_is_inside(make: Factory) -> None:
    use_case = await make.use_case()
    prompt, dataset = await make.prompt(use_case["id"]), await make.dataset(use_case["id"])
    version = await make.version(prompt["id"])
    await make.call("PUT", f"/prompts/{prompt['id']}/labels/live", 200, {"version_number": 1})
    item = (await make.items(dataset["id"], 1))[0]
    await make.run(version["id"], dataset["id"])
    await make.call("DELETE", f"/projects/{use_case['project_id']}", 204)
    for path in (
        f"/use-cases/{use_case['id']}",
        f"/prompts/{prompt['id']}",
        f"/prompt-versions/{version['id']}",
        f"/datasets/{dataset['id']}",
        f"/dataset-items/{item['id']}",
    ):
        await make.call("GET", path, 404)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body.name"),
        ({"name": ""}, "body.name"),
        ({"name": "x" * 256}, "body.name"),
        ({"name": 3}, "body.name"),
        ({"name": "x", "descripton": "typo"}, "body.descripton"),
        ({"name": "a\0b"}, "body.name"),
        ({"name": "x", "description": "a\0b"}, "body.description"),
        ([], "body"),
    ],
)
async def test_faulty_project_is_422_with_its_place(make: Factory, body: Any, place: str) -> None:
    problem = await make.call("POST", "/projects", 422, body)
    assert problem["errors"][0]["place"] == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (r'{"name": "half \ud83d"}', "body.name"),
        (r'{"name": "x", "description": "\ude00"}', "body.description"),
        (r'{"name": "x", "\ud83d": 1}', "body"),
    ],
)
async def test_half_of_a_surrogate_pair_is_422(
    client: httpx2.AsyncClient, text: str, place: str
) -> None:
    response = await client.post(
        "/api/v1/projects", content=text, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["place"] == place


async def test_a_whole_surrogate_pair_is_a_character(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/api/v1/projects",
        content=r'{"name": "\ud83d\ude00"}',
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 201
    assert response.json()["name"] == "😀"


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"cursor": "not one of ours"}])
async def test_faulty_page_is_422(make: Factory, query: dict[str, Any]) -> None:
    problem = await make.call("GET", "/projects", 422, **query)
    assert problem["errors"][0]["place"] == f"query.{next(iter(query))}"


async def test_an_id_that_is_none_is_422(make: Factory) -> None:
    problem = await make.call("GET", "/projects/seven", 422)
    assert problem["errors"][0]["place"] == "path.project_id"
