"""The defaults of the apps: that they are sound, and that they are made once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import jsonschema_rs
import pytest
from tests.apps.calling import FrontEnd, Row
from tests.identity.people import Installation, installed

from assay.apps.defaults import Defaults, read_defaults
from assay.core.config import Settings
from assay.core.templates import compile_template
from assay.identity.actor import Role

TYPES = {
    "voice-rx": ["evaluation", "extraction", "transcription"],
    "kaira-bot": ["correctness", "efficiency", "intent"],
}
CORRECTNESS = ["PASS", "SOFT FAIL", "HARD FAIL", "CRITICAL"]
EFFICIENCY = ["EFFICIENT", "ACCEPTABLE", "INCOMPLETE", "FRICTION", "BROKEN"]
APPS = [(app_id, kind) for app_id in TYPES for kind in ("prompts", "schemas")]


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation


@pytest.fixture
async def front_end(installation: Installation) -> FrontEnd:
    """That of somebody new, who has nothing."""
    return FrontEnd((await installation.person(Role.editor)).client)


def default(app_id: str, prompt_type: str, kind: Defaults) -> Row:
    [found] = [row for row in read_defaults(kind)[app_id] if row["prompt_type"] == prompt_type]
    return dict(found)


def nodes(schema: Any) -> list[Row]:
    """All objects inside a schema."""
    if isinstance(schema, list):
        return [node for inner in schema for node in nodes(inner)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(node for inner in schema.values() for node in nodes(inner))]


@pytest.mark.parametrize(("app_id", "kind"), APPS)
async def test_they_are_made_once(front_end: FrontEnd, app_id: str, kind: str) -> None:
    path = f"/{kind}/ensure-defaults"
    made = await front_end.call("POST", path, app_id=app_id)
    assert [row["prompt_type"] for row in made] == TYPES[app_id]
    assert {(row["app_id"], row["version"], row["is_default"]) for row in made} == {
        (app_id, 1, True)
    }
    assert await front_end.call("POST", path, app_id=app_id) == made
    listed, total = await front_end.listed(f"/{kind}", app_id=app_id)
    assert (sorted(listed, key=lambda row: row["prompt_type"]), total) == (made, 3)


@pytest.mark.parametrize("kind", ["prompts", "schemas"])
async def test_they_are_made_once_also_by_twenty_at_once(front_end: FrontEnd, kind: str) -> None:
    path = f"/{kind}/ensure-defaults"
    answers = await asyncio.gather(
        *(front_end.call("POST", path, app_id="voice-rx") for _ in range(20))
    )
    assert all(answer == answers[0] for answer in answers)
    assert (await front_end.listed(f"/{kind}", app_id="voice-rx"))[1] == 3


async def test_what_the_owner_made_of_them_stays(front_end: FrontEnd) -> None:
    path = "/prompts/ensure-defaults"
    own = {"app_id": "voice-rx", "prompt_type": "extraction", "name": "Mine", "prompt": "?"}
    assert (await front_end.call("POST", "/prompts", 201, own))["version"] == 1
    evaluation, extraction, transcription = await front_end.call("POST", path, app_id="voice-rx")
    assert [row["version"] for row in (evaluation, extraction, transcription)] == [1, 2, 1]
    one = f"/prompts/{evaluation['id']}"
    changed = await front_end.call("PUT", one, 200, {"prompt": "Shorter"})
    again = await front_end.call("POST", path, app_id="voice-rx")
    assert again == [changed, extraction, transcription]
    await front_end.call("DELETE", one, 409)


async def test_an_app_without_defaults_gets_none(front_end: FrontEnd) -> None:
    for kind in ("prompts", "schemas"):
        path = f"/{kind}/ensure-defaults"
        assert await front_end.call("POST", path, app_id="unheard-of") == []
        assert await front_end.listed(f"/{kind}", app_id="unheard-of") == ([], 0)
        assert await front_end.fault("POST", path) == "query.app_id"


@pytest.mark.parametrize("app_id", TYPES)
def test_each_type_has_a_prompt_and_a_schema(app_id: str) -> None:
    for kind in Defaults:
        rows = read_defaults(kind)[app_id]
        assert [row["prompt_type"] for row in rows] == TYPES[app_id]
        for row in rows:
            assert row["name"]
            assert row["description"]


def test_prompts_take_what_the_rows_have_and_fill_it_in() -> None:
    variables = {"voice-rx": {"title", "transcript"}, "kaira-bot": {"conversation"}}
    for app_id, rows in read_defaults(Defaults.prompts).items():
        for row in rows:
            template = compile_template(row["prompt"])
            assert template.variables
            assert template.variables <= variables[app_id]
            filled = template.render(dict.fromkeys(template.variables, "<what it is>"))
            assert "<what it is>" in filled
            assert "{{" not in filled


def test_schemas_are_sound_and_leave_nothing_open() -> None:
    for rows in read_defaults(Defaults.schemas).values():
        for row in rows:
            schema = row["schema_data"]
            jsonschema_rs.meta.validate(schema)
            for node in nodes(schema):
                if node.get("type") == "object" and "properties" in node:
                    assert node["additionalProperties"] is False
                    assert sorted(node["required"]) == sorted(node["properties"])


def test_prompts_speak_of_every_field_and_value_that_the_schema_asks_for() -> None:
    for app_id, types in TYPES.items():
        for prompt_type in types:
            prompt = default(app_id, prompt_type, Defaults.prompts)["prompt"]
            schema = default(app_id, prompt_type, Defaults.schemas)["schema_data"]
            for node in nodes(schema):
                for value in node.get("enum", ()):
                    assert value is None or value.lower() in prompt.lower(), (prompt_type, value)


@pytest.mark.parametrize(
    ("app_id", "prompt_type", "scale"),
    [
        ("voice-rx", "evaluation", CORRECTNESS),
        ("kaira-bot", "correctness", CORRECTNESS),
        ("kaira-bot", "efficiency", EFFICIENCY),
    ],
)
def test_verdicts_are_those_of_the_contract(
    app_id: str, prompt_type: str, scale: list[str]
) -> None:
    schema = default(app_id, prompt_type, Defaults.schemas)["schema_data"]
    [verdicts] = [node["enum"] for node in nodes(schema) if scale[0] in node.get("enum", ())]
    assert verdicts == scale
    prompt = default(app_id, prompt_type, Defaults.prompts)["prompt"]
    for verdict in scale:
        assert f"- {verdict}: " in prompt
