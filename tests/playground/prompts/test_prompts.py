from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from tests.playground.conftest import Factory

CountQueries = Callable[[], AbstractContextManager[list[str]]]


async def test_create_read_change_delete(make: Factory) -> None:
    use_case = await make.use_case()
    made = await make.prompt(use_case["id"], name="Intent", tags=["a", "b", "a"])
    assert made["use_case_id"] == use_case["id"]
    assert made["tags"] == ["a", "b"]
    assert made["counts"] == {"versions": 0, "runs": 0}
    assert made["latest_version"] is None
    assert made["labels"] == {}
    path = f"/prompts/{made['id']}"
    assert await make.call("GET", path, 200) == made
    assert await make.call("GET", f"/use-cases/{use_case['id']}/prompts", 200) == [made]
    changed = await make.call("PATCH", path, 200, {"tags": ["c"], "description": "New"})
    assert (changed["tags"], changed["description"], changed["name"]) == (["c"], "New", "Intent")
    changed = await make.call("PATCH", path, 200, {"description": None})
    assert (changed["tags"], changed["description"]) == (["c"], None)
    await make.call("DELETE", path, 204)
    await make.call("GET", path, 404)


async def test_counts_latest_version_and_labels(make: Factory) -> None:
    prompt = await make.prompt()
    versions = [await make.version(prompt["id"]) for _ in range(3)]
    labels = f"/prompts/{prompt['id']}/labels"
    await make.call("PUT", f"{labels}/production", 200, {"version_number": 2})
    await make.call("PUT", f"{labels}/staging", 200, {"version_number": 3})
    dataset = await make.dataset(prompt["use_case_id"])
    await make.run(versions[0]["id"], dataset["id"])
    await make.run(versions[1]["id"], dataset["id"])
    other = await make.prompt(prompt["use_case_id"])
    await make.version(other["id"])
    read = await make.call("GET", f"/prompts/{prompt['id']}", 200)
    assert read["counts"] == {"versions": 3, "runs": 2}
    assert read["latest_version"] == 3
    assert read["labels"] == {"production": 2, "staging": 3}
    changed = await make.call("PATCH", f"/prompts/{prompt['id']}", 200, {"name": "New"})
    assert {**changed, "name": read["name"], "updated_at": read["updated_at"]} == read


@pytest.mark.parametrize("field", ["name", "tags"])
async def test_patch_with_null_for_what_cannot_be_null(make: Factory, field: str) -> None:
    path = f"/prompts/{(await make.prompt())['id']}"
    problem = await make.call("PATCH", path, 422, {field: None})
    assert problem["errors"][0]["place"] == f"body.{field}"


@pytest.mark.parametrize("tag", ["", "x" * 101, "a\0b", 3])
async def test_faulty_tag(make: Factory, tag: Any) -> None:
    use_case = await make.use_case()
    path = f"/use-cases/{use_case['id']}/prompts"
    problem = await make.call("POST", path, 422, {"name": "x", "tags": ["good", tag]})
    assert problem["errors"][0]["place"] == "body.tags[1]"


async def test_filter_by_tags(make: Factory) -> None:
    use_case = await make.use_case()
    for name, tags in [("ab", ["a", "b"]), ("b", ["b"]), ("c", ["c"]), ("none", [])]:
        await make.prompt(use_case["id"], name=name, tags=tags)

    async def names(**query: Any) -> set[str]:
        path = f"/use-cases/{use_case['id']}/prompts"
        return {row["name"] for row in await make.call("GET", path, 200, **query)}

    assert await names(tags_all=["a", "b"]) == {"ab"}
    assert await names(tags_all=["b"]) == {"ab", "b"}
    assert await names(tags_any=["a", "c"]) == {"ab", "c"}
    assert await names(tags_any=["b", "c"], tags_all=["a"]) == {"ab"}
    assert await names(tags_all=["nobody has this"]) == set()
    assert await names() == {"ab", "b", "c", "none"}


async def test_search_takes_every_character_as_it_is(make: Factory) -> None:
    use_case = await make.use_case()
    for name in ("100% Ärger", "100 percent", "snake_case", "snakeXcase", "back\\slash", "a/b"):
        await make.prompt(use_case["id"], name=name)

    async def names(search: str) -> set[str]:
        path = f"/use-cases/{use_case['id']}/prompts"
        return {row["name"] for row in await make.call("GET", path, 200, search=search)}

    assert await names("0% ä") == {"100% Ärger"}
    assert await names("%") == {"100% Ärger"}
    assert await names("KE_C") == {"snake_case"}
    assert await names("\\") == {"back\\slash"}
    assert await names("/") == {"a/b"}
    assert len(await names("")) == 6


@pytest.mark.parametrize("query", ["search", "tags_all", "tags_any"])
async def test_filters_with_nul_are_422(make: Factory, query: str) -> None:
    use_case = await make.use_case()
    path = f"/use-cases/{use_case['id']}/prompts"
    problem = await make.call("GET", path, 422, **{query: "a\0b"})
    assert problem["errors"][0]["place"].startswith(f"query.{query}")


async def test_list_pages_through_a_filter(make: Factory) -> None:
    use_case = await make.use_case()
    for number in range(7):
        await make.prompt(use_case["id"], name=f"p{number}", tags=["odd"] if number % 2 else [])
    pages = await make.pages(f"/use-cases/{use_case['id']}/prompts", limit=2, tags_all="odd")
    assert [[row["name"] for row in page] for page in pages] == [["p5", "p3"], ["p1"]]


async def test_list_costs_one_query_however_long(
    make: Factory, count_queries: CountQueries
) -> None:
    use_case = await make.use_case()
    for _ in range(3):
        prompt = await make.prompt(use_case["id"])
        await make.version(prompt["id"])
    with count_queries() as queries:
        rows = await make.call("GET", f"/use-cases/{use_case['id']}/prompts", 200)
    assert [row["counts"]["versions"] for row in rows] == [1, 1, 1]
    assert len(queries) == 1, queries


async def test_unknown_ids_are_404(make: Factory) -> None:
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        problem = await make.call(method, f"/prompts/{uuid4()}", 404, body)
        assert problem["detail"] == "There is no prompt with this id."
    path = f"/use-cases/{uuid4()}/prompts"
    assert (await make.call("GET", path, 404))["detail"] == "There is no use case with this id."
    await make.call("POST", path, 404, {"name": "x"})
