"""Differences between versions over HTTP."""

from typing import Any
from uuid import uuid4

from tests.playground.conftest import Factory


async def diff(make: Factory, prompt_id: str, first: Any, second: Any, status: int = 200) -> Any:
    query = {"from": first, "to": second}
    return await make.call("GET", f"/prompts/{prompt_id}/diff", status, **query)


async def test_texts_defaults_schemas_and_variables(make: Factory) -> None:
    prompt_id = (await make.prompt())["id"]
    first = await make.version(
        prompt_id,
        type="text",
        template_text="Sort this: {{ message }}\n",
        model_defaults={"temperature": 0, "stop": ["a"], "extra": {"a": 1, "b": True}},
    )
    second = await make.version(
        prompt_id,
        type="text",
        template_text="Sort this: {{ text }}\n",
        model_defaults={"stop": ["a"], "extra": {"a": 1.5, "b": True}, "seed": 1},
        commit_message="Call it text",
    )
    await make.call("PUT", f"/prompts/{prompt_id}/labels/live", 200, {"version_number": 1})
    found = await diff(make, prompt_id, "live", 2)
    assert (found["from"]["id"], found["to"]["id"]) == (first["id"], second["id"])
    assert (found["from"]["labels"], found["to"]["commit_message"]) == (["live"], "Call it text")
    assert found["identical"] is False
    [message] = found["messages"]
    assert (message["change"], message["role_from"], message["role_to"]) == (
        "changed",
        "user",
        "user",
    )
    assert message["unified"] == (
        "@@ -1 +1 @@\n-Sort this: {{ message }}\n+Sort this: {{ text }}\n"
    )
    assert message["words"] == [
        {"op": "equal", "text": "Sort this: {{ "},
        {"op": "delete", "text": "message"},
        {"op": "insert", "text": "text"},
        {"op": "equal", "text": " }}\n"},
    ]
    assert found["model_defaults"] == [
        {"path": ["extra", "a"], "change": "changed", "from": 1, "to": 1.5},
        {"path": ["seed"], "change": "added", "from": None, "to": 1},
        {"path": ["temperature"], "change": "removed", "from": 0, "to": None},
    ]
    assert [(c["path"], c["change"]) for c in found["variables_schema"]] == [
        (["properties", "message"], "removed"),
        (["properties", "text"], "added"),
        (["required"], "changed"),
    ]
    assert found["variables"] == {"added": ["text"], "removed": ["message"]}


async def test_messages_that_came_went_and_changed(make: Factory) -> None:
    prompt_id = (await make.prompt())["id"]

    def message(role: str, content: Any) -> dict[str, Any]:
        return {"role": role, "content": content}

    parts = [{"type": "text", "text": "ä"}]
    before = [message("system", "Be brief."), message("user", "One"), message("user", "Last")]
    after = [message("system", "Be long."), message("assistant", parts), message("user", "Last")]
    await make.version(prompt_id, type="chat", template_messages=before)
    await make.version(prompt_id, type="chat", template_messages=[*after, message("user", "More")])
    await make.version(prompt_id, type="text", template_text="Last")
    found = (await diff(make, prompt_id, 1, 2))["messages"]
    assert [(m["change"], m["place_from"], m["place_to"]) for m in found] == [
        ("changed", 0, 0),
        ("changed", 1, 1),
        ("equal", 2, 2),
        ("added", None, 3),
    ]
    assert (found[1]["role_from"], found[1]["role_to"]) == ("user", "assistant")
    assert '+    "text": "ä",\n' in found[1]["unified"]
    assert found[2]["unified"] == ""
    assert found[2]["words"] == [{"op": "equal", "text": "Last"}]
    assert found[3]["words"] == [{"op": "insert", "text": "More"}]
    found = await diff(make, prompt_id, 1, 3)
    assert (found["from"]["type"], found["to"]["type"]) == ("chat", "text")
    assert [m["change"] for m in found["messages"]] == ["removed", "removed", "equal"]
    assert found["identical"] is False


async def test_a_version_and_itself(make: Factory) -> None:
    version = await make.version()
    found = await diff(make, version["prompt_id"], 1, 1)
    assert found["identical"] is True
    assert found["model_defaults"] == found["variables_schema"] == []


async def test_faulty_questions(make: Factory) -> None:
    version = await make.version()
    prompt_id = version["prompt_id"]
    assert "live" in (await diff(make, prompt_id, 1, "live", 404))["detail"]
    await diff(make, str(uuid4()), 1, 1, 404)
    await make.call("GET", f"/prompts/{prompt_id}/diff", 422)
    await diff(make, prompt_id, "a b", 1, 422)
    for text, unit in (("x" * 500_001, "characters"), ("\n" * 20_000, "lines")):
        long = await make.version(prompt_id, type="text", template_text=text)
        problem = await diff(make, prompt_id, 1, long["version_number"], 422)
        assert problem["code"] == "too_long"
        assert problem["errors"][0]["place"] == "query.to"
        assert unit in problem["errors"][0]["message"]
