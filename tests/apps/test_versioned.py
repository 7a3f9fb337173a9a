"""Prompts and schemas: what front ends call, and the rules that both share."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from tests.apps.calling import FrontEnd, Row

from assay.apps.prompts.models import AppPrompt
from assay.apps.schemas.models import AppSchema
from assay.apps.versioned import Versioned
from assay.core.database import Database
from assay.events.models import Event
from assay.identity.audit.models import AuditEntry

TEXT = "Write down {{ title }}."
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
PROMPT_FIELDS = {"prompt": TEXT, "source_type": "upload"}
KINDS = [
    pytest.param("/prompts", {"prompt": TEXT, "source_type": "upload"}, id="prompts"),
    pytest.param("/schemas", {"schema_data": SCHEMA}, id="schemas"),
]
COMMON = {
    "id",
    "app_id",
    "prompt_type",
    "version",
    "name",
    "description",
    "is_default",
    "created_at",
    "updated_at",
    "user_id",
}


@pytest.fixture
def app_id() -> str:
    """An app that no other test uses."""
    return f"app-{uuid4().hex[:12]}"


@pytest.fixture
def front_end(client: httpx2.AsyncClient) -> FrontEnd:
    return FrontEnd(client)


def new(app_id: str, content: Row, **fields: Any) -> Row:
    return {"app_id": app_id, "prompt_type": "transcription", "name": "First", **content, **fields}


@pytest.mark.parametrize(("path", "content"), KINDS)
async def test_create_read_change_and_delete(
    front_end: FrontEnd, app_id: str, path: str, content: Row
) -> None:
    body = new(app_id, content, description="Terse")
    made = await front_end.call("POST", path, 201, body)
    assert made.keys() == COMMON | content.keys()
    assert {name: made[name] for name in body} == body
    assert (made["version"], made["is_default"], made["user_id"]) == (1, False, "default")
    assert isinstance(made["id"], int)
    for name in ("created_at", "updated_at"):
        assert datetime.fromisoformat(made[name]).utcoffset() == timedelta(0)
    one = f"{path}/{made['id']}"
    assert await front_end.get(one) == made
    assert await front_end.get(path, app_id=app_id) == [made]

    changed = await front_end.call("PUT", one, 200, {"name": "Renamed"})
    assert changed["updated_at"] > made["updated_at"]
    assert changed == made | {"name": "Renamed", "updated_at": changed["updated_at"]}
    nothing = await front_end.call("PUT", one, 200, {})
    assert nothing == changed

    assert await front_end.call("DELETE", one) == {"deleted": True, "id": made["id"]}
    for method, sent in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        await front_end.call(method, one, 404, sent)


@pytest.mark.parametrize(("path", "content"), KINDS)
async def test_fields_have_defaults_and_all_can_be_changed(
    front_end: FrontEnd, app_id: str, path: str, content: Row
) -> None:
    least = new(app_id, content)
    least.pop("source_type", None)
    made = await front_end.call("POST", path, 201, least)
    assert made["description"] == ""
    assert made.get("source_type") is None
    changes: Row = {"name": "N", "description": "D", "is_default": True}
    changes |= {"prompt": "P", "source_type": "api"} if "prompt" in content else {}
    changes |= {"schema_data": {"type": "array"}} if "schema_data" in content else {}
    changed = await front_end.call("PUT", f"{path}/{made['id']}", 200, changes)
    assert {name: changed[name] for name in changes} == changes
    assert changed["version"] == made["version"]


async def test_an_explicit_null_clears_where_the_column_is_nullable(
    front_end: FrontEnd, app_id: str
) -> None:
    made = await front_end.call("POST", "/prompts", 201, new(app_id, PROMPT_FIELDS))
    one = f"/prompts/{made['id']}"
    assert (await front_end.call("PUT", one, 200, {"name": "x"}))["source_type"] == "upload"
    assert (await front_end.call("PUT", one, 200, {"source_type": None}))["source_type"] is None
    assert await front_end.fault("PUT", one, {"name": None}) == "body.name"
    assert await front_end.fault("PUT", one, {"prompt": None}) == "body.prompt"


@pytest.mark.parametrize(("path", "content"), KINDS)
@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"app_id": ""}, "body.app_id"),
        ({"app_id": "a" * 51}, "body.app_id"),
        ({"prompt_type": "a" * 51}, "body.prompt_type"),
        ({"name": "a" * 201}, "body.name"),
        ({"name": "a\0"}, "body.name"),
        ({"description": None}, "body.description"),
        ({"is_default": "perhaps"}, "body.is_default"),
        ({"version": 7}, "body.version"),
        ({"user_id": "somebody"}, "body.user_id"),
    ],
)
async def test_a_faulty_body_is_422_with_its_place(
    front_end: FrontEnd, app_id: str, path: str, content: Row, fields: Row, place: str
) -> None:
    assert await front_end.fault("POST", path, new(app_id, content) | fields) == place
    assert (await front_end.listed(path, app_id=app_id))[1] == 0


async def test_what_is_no_json_schema_is_refused(front_end: FrontEnd, app_id: str) -> None:
    for faulty, place in (
        ({"type": "strong"}, "body.schema_data.type"),
        ([], "body.schema_data"),
        ({"title": "a\0"}, "body.schema_data.title"),
    ):
        body = new(app_id, {"schema_data": faulty})
        assert await front_end.fault("POST", "/schemas", body) == place


@pytest.mark.parametrize(("path", "content"), KINDS)
async def test_versions_count_for_each_app_and_type(
    front_end: FrontEnd, app_id: str, path: str, content: Row
) -> None:
    async def version(**fields: Any) -> int:
        made = await front_end.call("POST", path, 201, new(app_id, content) | fields)
        number: int = made["version"]
        return number

    assert [await version(), await version()] == [1, 2]
    assert await version(prompt_type="extraction") == 1
    assert await version(app_id=f"{app_id}-2") == 1
    assert await version() == 3


@pytest.mark.parametrize(("path", "content"), KINDS)
async def test_fifty_creates_at_once_give_versions_1_to_50(
    front_end: FrontEnd, app_id: str, path: str, content: Row
) -> None:
    body = new(app_id, content)
    made = await asyncio.gather(*(front_end.call("POST", path, 201, body) for _ in range(50)))
    assert sorted(row["version"] for row in made) == list(range(1, 51))
    listed, total = await front_end.listed(path, app_id=app_id)
    assert [row["version"] for row in listed] == list(range(50, 0, -1))
    assert total == 50


@pytest.mark.parametrize(("path", "content"), KINDS)
async def test_lists_are_of_one_app_in_pages_newest_first(
    front_end: FrontEnd, app_id: str, path: str, content: Row
) -> None:
    made = []
    for prompt_type in ("transcription", "evaluation", "transcription"):
        body = new(app_id, content, prompt_type=prompt_type)
        made.append(await front_end.call("POST", path, 201, body))
    await front_end.call("POST", path, 201, new(f"{app_id}-2", content))
    assert await front_end.listed(path, app_id=app_id) == (made[::-1], 3)
    assert await front_end.listed(path, app_id=app_id, limit=1, offset=1) == ([made[1]], 3)
    assert 'rel="next"' in front_end.headers["Link"]
    assert await front_end.listed(path, app_id=app_id, offset=3) == ([], 3)
    of_type = {"app_id": app_id, "prompt_type": "transcription"}
    assert await front_end.listed(path, **of_type) == ([made[2], made[0]], 2)
    assert await front_end.listed(path, app_id=app_id, prompt_type="nothing") == ([], 0)
    assert await front_end.fault("GET", path) == "query.app_id"
    for limit in (0, 501):
        assert await front_end.fault("GET", path, app_id=app_id, limit=limit) == "query.limit"


async def test_prompts_are_listed_by_source_and_schemas_are_for_every_source(
    front_end: FrontEnd, app_id: str
) -> None:
    for source in ("upload", "api", None):
        body = new(app_id, PROMPT_FIELDS | {"source_type": source})
        await front_end.call("POST", "/prompts", 201, body)
    [found], total = await front_end.listed("/prompts", app_id=app_id, source_type="api")
    assert (found["source_type"], total) == ("api", 1)
    schema = await front_end.call("POST", "/schemas", 201, new(app_id, {"schema_data": SCHEMA}))
    listed = await front_end.listed("/schemas", app_id=app_id, source_type="api")
    assert listed == ([schema], 1)


@pytest.mark.parametrize(("path", "content"), KINDS)
async def test_a_default_cannot_be_deleted(
    front_end: FrontEnd, app_id: str, path: str, content: Row
) -> None:
    made = await front_end.call("POST", path, 201, new(app_id, content, is_default=True))
    one = f"{path}/{made['id']}"
    problem = await front_end.call("DELETE", one, 409)
    assert problem["code"] == "default_stays"
    assert await front_end.get(one) == made
    await front_end.call("PUT", one, 200, {"is_default": False})
    await front_end.call("DELETE", one)


@pytest.mark.parametrize(("path", "content"), KINDS)
async def test_ids_that_are_none(front_end: FrontEnd, path: str, content: Row) -> None:
    for number in (2**63 - 1, 123_456_789):
        await front_end.get(f"{path}/{number}", 404)
    for wrong in (0, 2**63, "abc"):
        await front_end.get(f"{path}/{wrong}", 422)


async def test_changes_are_recorded_and_told_to_the_owner(
    front_end: FrontEnd, app_id: str, database: Database
) -> None:
    made = await front_end.call("POST", "/prompts", 201, new(app_id, PROMPT_FIELDS))
    one = f"/prompts/{made['id']}"
    await front_end.call("PUT", one, 200, {"name": "Second"})
    await front_end.call("DELETE", one)
    subject = str(made["id"])
    mine = AuditEntry.action.startswith("app_prompt."), AuditEntry.subject == subject
    async with database.session() as session:
        entries = (await session.scalars(select(AuditEntry).where(*mine))).all()
        told = select(Event.user_id).where(Event.topic == "apps", Event.subject == subject)
        owners = set(await session.scalars(told))
    assert [entry.action.partition(".")[2] for entry in entries] == [
        "created",
        "updated",
        "deleted",
    ]
    details = entries[1].details
    assert details is not None
    assert details["changes"]["name"] == {"from": "First", "to": "Second"}
    assert owners == {"default"}


@pytest.mark.parametrize("model", [AppPrompt, AppSchema])
async def test_the_database_holds_that_a_version_is_there_once(
    database: Database, app_id: str, model: type[Versioned]
) -> None:
    content = {"prompt": TEXT} if model is AppPrompt else {"schema_data": SCHEMA}
    fields = new(app_id, content, version=1)
    with pytest.raises(IntegrityError, match="app_id_prompt_type_version_user_id"):
        async with database.session() as session:
            session.add_all([model(**fields, user_id=user_id) for user_id in ("a", "b")])
            await session.flush()
            session.add(model(**fields, user_id="a"))
