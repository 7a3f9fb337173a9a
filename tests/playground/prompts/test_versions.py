import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from tests.playground.conftest import Factory

CountQueries = Callable[[], AbstractContextManager[list[str]]]
CHAT = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "{{ message }} in {{ language | default('English') }}"},
]


async def test_text_version(make: Factory) -> None:
    prompt = await make.prompt()
    made = await make.version(
        prompt["id"],
        type="text",
        template_text="Sort {{ message }}",
        model_defaults={"temperature": 0, "stop": None},
        commit_message="First",
    )
    assert made["prompt_id"] == prompt["id"]
    assert made["version_number"] == 1
    assert made["template_text"] == "Sort {{ message }}"
    assert made["template_messages"] is None
    assert made["model_defaults"] == {"temperature": 0, "stop": None}
    assert made["labels"] == []
    assert made["created_by"] == "default"
    assert made["commit_message"] == "First"
    assert await make.call("GET", f"/prompt-versions/{made['id']}", 200) == made
    assert await make.call("GET", f"/prompts/{prompt['id']}/versions/1", 200) == made
    assert await make.call("GET", f"/prompts/{prompt['id']}/versions", 200) == [made]


async def test_chat_version_and_its_derived_schema(make: Factory) -> None:
    made = await make.version(type="chat", template_messages=CHAT)
    assert made["template_text"] is None
    assert made["template_messages"] == CHAT
    assert made["variables_schema"] == {
        "type": "object",
        "properties": {"message": {}, "language": {}},
        "required": ["message"],
    }


async def test_a_derived_schema_has_the_types_that_templates_tell(make: Factory) -> None:
    messages = [
        {"role": "system", "content": "{% for rule in rules %}- {{ rule }}\n{% endfor %}"},
        {"role": "user", "content": "{{ user.name }}: {{ message }} {{ user['mail'] }}"},
        {"role": "user", "content": "{{ rules | join }}{{ mixed.a }}"},
        {"role": "user", "content": "{% for x in mixed %}{% endfor %}"},
    ]
    made = await make.version(type="chat", template_messages=messages)
    assert made["variables_schema"] == {
        "type": "object",
        "properties": {
            "message": {},
            "mixed": {},
            "rules": {"type": "array"},
            "user": {"type": "object", "properties": {"name": {}, "mail": {}}},
        },
        "required": ["message", "mixed", "rules", "user"],
    }


async def test_render_holds_variables_to_the_schema(make: Factory) -> None:
    schema = {
        "properties": {"a": {"type": "array", "items": {"maxLength": 2}}, "b": {}},
        "required": ["a"],
        "additionalProperties": False,
    }
    version = await make.version(**text("{{ a }} {{ b }}", variables_schema=schema))
    path = f"/prompt-versions/{version['id']}/render"
    await make.call("POST", path, 200, {"variables": {"a": ["xy"], "b": 1}})
    problem = await make.call("POST", path, 422, {"variables": {"a": ["x", "xyz"], "c": 1}})
    assert problem["code"] == "variables"
    assert {fault["place"] for fault in problem["errors"]} == {
        "body.variables.b",
        "body.variables.a[1]",
        "body.variables",
    }
    problem = await make.call("POST", path, 422, {"variables": {"b": 1}})
    assert [fault["place"] for fault in problem["errors"]] == ["body.variables.a"]


async def test_content_parts_are_kept_as_sent(make: Factory) -> None:
    parts = [
        {"type": "text", "text": "What is on {{ where }}?"},
        {"type": "image_url", "image_url": {"url": "{{ image }}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "input_audio", "input_audio": {"data": "{{ sound }}", "format": "wav"}},
    ]
    messages = [{"role": "user", "content": parts}]
    made = await make.version(type="chat", template_messages=messages)
    assert made["template_messages"] == messages
    assert made["variables_schema"]["required"] == ["image", "sound", "where"]


async def test_own_variables_schema(make: Factory) -> None:
    schema = {"type": "object", "properties": {"message": {"type": "string"}, "more": {}}}
    made = await make.version(type="text", template_text="{{ message }}", variables_schema=schema)
    assert made["variables_schema"] == schema


def text(template: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "template_text": template, **more}


def chat(*contents: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content} for content in contents]
    return {"type": "chat", "template_messages": messages}


NESTED: dict[str, Any] = {}
for _ in range(150):
    NESTED = {"a": NESTED}


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        ({}, "body.type", "required"),
        ({"type": "image"}, "body.type", "'text' or 'chat'"),
        ({"type": "text"}, "body.template_text", "needs this"),
        ({"type": "chat"}, "body.template_messages", "needs this"),
        (text("x", template_messages=CHAT), "body.template_messages", "takes template_text"),
        ({"type": "chat", "template_messages": []}, "body.template_messages", "at least 1"),
        (text("one\n{{ two"), "body.template_text", "Line 2"),
        (chat("fine", "{% if %}"), "body.template_messages[1].content", "Line 1"),
        (
            chat([{"type": "text", "text": "a\nb\n{{ }}"}]),
            "body.template_messages[0].content[0].text",
            "Line 3",
        ),
        (
            chat([{"type": "image_url", "image_url": {"url": "{{"}}]),
            "body.template_messages[0].content[0].image_url.url",
            "Line 1",
        ),
        (chat(3), "body.template_messages[0].content", "string"),
        (chat([]), "body.template_messages[0].content", "at least 1"),
        (chat([{"type": "video"}]), "body.template_messages[0].content[0].type", "'image_url'"),
        (chat([{"type": ["text"]}]), "body.template_messages[0].content[0].type", "'image_url'"),
        (chat(["text"]), "body.template_messages[0].content[0]", "dictionary"),
        (
            chat([{"type": "image_url", "image_url": {}}]),
            "body.template_messages[0].content[0].image_url.url",
            "required",
        ),
        (
            {"type": "chat", "template_messages": [{"role": "robot", "content": ""}]},
            "body.template_messages[0].role",
            "'assistant'",
        ),
        (text("a\0b"), "body.template_text", "NUL"),
        (chat("a\0b"), "body.template_messages[0].content", "NUL"),
        (text("", commit_message="a\0b"), "body.commit_message", "NUL"),
        (text("", model_defaults={"a": [0, {"b": "\0"}]}), "body.model_defaults.a[1].b", "NUL"),
        (text("", model_defaults={"a": {"b\0": 1}}), "body.model_defaults.a", "Name of a field"),
        (text("", model_defaults={"seed": 2**64}), "body.model_defaults.seed", "64 bits"),
        (text("", model_defaults=NESTED), "body.model_defaults" + ".a" * 100, "nested"),
        (text("", model_defaults=[]), "body.model_defaults", "dictionary"),
        (
            text("", variables_schema={"properties": {"a": {"type": "strong"}}}),
            "body.variables_schema.properties.a.type",
            "strong",
        ),
        (text("", variables_schema={"$ref": "http://127.0.0.1:9/s"}), "body.variables_schema", ""),
        (
            text("{{ b }} {{ a }} {{ c }}", variables_schema={"properties": {"a": {}}}),
            "body.variables_schema.properties",
            "b, c",
        ),
        (text("", labels=["x"]), "body.labels", "not permitted"),
    ],
)
async def test_faulty_version_is_422_with_its_place(
    make: Factory, body: Any, place: str, words: str
) -> None:
    prompt = await make.prompt()
    path = f"/prompts/{prompt['id']}/versions"
    problem = await make.call("POST", path, 422, body)
    assert [fault["place"] for fault in problem["errors"]] == [place]
    assert words in problem["errors"][0]["message"]
    assert await make.call("GET", path, 200) == []


async def test_each_faulty_template_is_named(make: Factory) -> None:
    prompt = await make.prompt()
    problem = await make.call(
        "POST", f"/prompts/{prompt['id']}/versions", 422, chat("{{", "fine", "{% x %}")
    )
    assert [fault["place"] for fault in problem["errors"]] == [
        "body.template_messages[0].content",
        "body.template_messages[2].content",
    ]


async def test_concurrent_posts_get_each_number_once(make: Factory) -> None:
    prompt = await make.prompt()
    made = await asyncio.gather(*(make.version(prompt["id"]) for _ in range(30)))
    assert sorted(version["version_number"] for version in made) == list(range(1, 31))
    assert (await make.call("GET", f"/prompts/{prompt['id']}", 200))["latest_version"] == 30


async def test_list_is_newest_first_and_pages_through_all(
    make: Factory, count_queries: CountQueries
) -> None:
    prompt = await make.prompt()
    for _ in range(12):
        await make.version(prompt["id"])
    path = f"/prompts/{prompt['id']}/versions"
    pages = await make.pages(path, limit=5)
    assert [[row["version_number"] for row in page] for page in pages] == [
        [12, 11, 10, 9, 8],
        [7, 6, 5, 4, 3],
        [2, 1],
    ]
    with count_queries() as queries:
        await make.call("GET", path, 200)
    assert len(queries) == 1, queries


async def test_a_deleted_number_is_not_given_again(make: Factory) -> None:
    prompt = await make.prompt()
    first, second = [await make.version(prompt["id"]) for _ in range(2)]
    await make.call("DELETE", f"/prompt-versions/{second['id']}", 204)
    await make.call("GET", f"/prompt-versions/{second['id']}", 404)
    await make.call("GET", f"/prompts/{prompt['id']}/versions/2", 404)
    assert (await make.version(prompt["id"]))["version_number"] == 3
    await make.call("DELETE", f"/prompt-versions/{first['id']}", 204)


async def test_version_with_a_label_or_runs_cannot_be_deleted(make: Factory) -> None:
    version = await make.version()
    path, prompt = f"/prompt-versions/{version['id']}", f"/prompts/{version['prompt_id']}"
    await make.call("PUT", f"{prompt}/labels/live", 200, {"version_number": 1})
    problem = await make.call("DELETE", path, 409)
    assert "labelled live" in problem["detail"]
    await make.call("DELETE", f"{prompt}/labels/live", 204)
    dataset = await make.dataset()
    await make.run(version["id"], dataset["id"])
    problem = await make.call("DELETE", path, 409)
    assert "has runs" in problem["detail"]
    await make.call("GET", path, 200)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_version_never_changes(make: Factory, method: str) -> None:
    version = await make.version()
    await make.call(method, f"/prompt-versions/{version['id']}", 405, {"template_text": "x"})


async def test_unknown_ids_are_404(make: Factory) -> None:
    body = text("x")
    for method, path in (
        ("GET", f"/prompts/{uuid4()}/versions"),
        ("POST", f"/prompts/{uuid4()}/versions"),
        ("GET", f"/prompts/{uuid4()}/versions/1"),
        ("GET", f"/prompt-versions/{uuid4()}"),
        ("DELETE", f"/prompt-versions/{uuid4()}"),
    ):
        await make.call(method, path, 404, body if method == "POST" else None)
    prompt = await make.prompt()
    problem = await make.call("GET", f"/prompts/{prompt['id']}/versions/7", 404)
    assert problem["detail"] == 'The prompt has no version or label "7".'
    await make.call("GET", f"/prompts/{prompt['id']}/versions/live", 404)
    await make.call("GET", f"/prompts/{prompt['id']}/versions/a%00b", 422)
    await make.call("GET", f"/prompts/{prompt['id']}/versions/12345678901", 422)


async def test_label_moves_and_finds_its_version(make: Factory) -> None:
    prompt = await make.prompt()
    for _ in range(2):
        await make.version(prompt["id"])
    path = f"/prompts/{prompt['id']}"
    put = await make.call("PUT", f"{path}/labels/production", 200, {"version_number": 1})
    assert (put["version_number"], put["labels"]) == (1, ["production"])
    await make.call("PUT", f"{path}/labels/alpha", 200, {"version_number": 1})
    found = await make.call("GET", f"{path}/versions/production", 200)
    assert (found["version_number"], found["labels"]) == (1, ["alpha", "production"])
    await make.call("PUT", f"{path}/labels/production", 200, {"version_number": 2})
    assert (await make.call("GET", f"{path}/versions/production", 200))["version_number"] == 2
    assert (await make.call("GET", f"{path}/versions/1", 200))["labels"] == ["alpha"]
    await make.call("DELETE", f"{path}/labels/production", 204)
    await make.call("GET", f"{path}/versions/production", 404)
    problem = await make.call("DELETE", f"{path}/labels/production", 404)
    assert problem["detail"] == 'The prompt has no label "production".'
    assert (await make.call("GET", path, 200))["labels"] == {"alpha": 1}


async def test_concurrent_moves_leave_a_label_on_one_version(make: Factory) -> None:
    prompt = await make.prompt()
    for _ in range(5):
        await make.version(prompt["id"])
    path = f"/prompts/{prompt['id']}"
    await asyncio.gather(
        *(
            make.call("PUT", f"{path}/labels/live", 200, {"version_number": 1 + number % 5})
            for number in range(20)
        )
    )
    labels = [version["labels"] for version in await make.call("GET", f"{path}/versions", 200)]
    assert sorted(labels) == [[], [], [], [], ["live"]]


async def test_faulty_labels(make: Factory) -> None:
    version = await make.version()
    path = f"/prompts/{version['prompt_id']}/labels"
    for label in ("7", "with space", "x" * 101, "a%00b"):
        await make.call("PUT", f"{path}/{label}", 422, {"version_number": 1})
    problem = await make.call("PUT", f"{path}/live", 404, {"version_number": 9})
    assert problem["detail"] == "The prompt has no version 9."
    for number in (0, 2**40, None, "one"):
        await make.call("PUT", f"{path}/live", 422, {"version_number": number})
    gone = f"/prompts/{uuid4()}/labels/live"
    problem = await make.call("PUT", gone, 404, {"version_number": 1})
    assert problem["detail"] == "There is no prompt with this id."
    assert (await make.call("DELETE", gone, 404))["detail"] == problem["detail"]


async def test_render(make: Factory) -> None:
    version = await make.version(type="chat", template_messages=CHAT)
    path = f"/prompt-versions/{version['id']}/render"
    rendered = await make.call("POST", path, 200, {"variables": {"message": {"a": [1]}}})
    assert rendered == {"messages": [CHAT[0], {"role": "user", "content": '{"a": [1]} in English'}]}
    version = await make.version(**text("Sort {{ message }}\n"))
    path = f"/prompt-versions/{version['id']}/render"
    rendered = await make.call("POST", path, 200, {"variables": {"message": "ä", "more": 1}})
    assert rendered == {"messages": [{"role": "user", "content": "Sort ä\n"}]}


async def test_render_names_what_is_missing(make: Factory) -> None:
    version = await make.version(**text("{{ a }} {{ b }} {{ c.d }}"))
    path = f"/prompt-versions/{version['id']}/render"
    problem = await make.call("POST", path, 422, {"variables": {"b": 1}})
    places = [fault["place"] for fault in problem["errors"]]
    assert places == ["body.variables.a", "body.variables.c"]
    problem = await make.call("POST", path, 422, {"variables": {"a": 1, "b": 1, "c": {}}})
    assert problem["errors"][0]["place"] == "body.variables"
    assert '"d"' in problem["errors"][0]["message"]
    await make.call("POST", f"/prompt-versions/{uuid4()}/render", 404, {})


@pytest.mark.parametrize("template", [r'{{ "\ud800" }}', r'{{ "\x00" }}', '{{ "%c" % 55296 }}'])
async def test_render_refuses_text_that_cannot_be_sent(make: Factory, template: str) -> None:
    version = await make.version(**text(template))
    await make.call("POST", f"/prompt-versions/{version['id']}/render", 422, {})
