"""Evaluators, as a front end calls them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select
from tests.apps.calling import FrontEnd, Row
from tests.identity.people import installed

from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role
from assay.identity.audit.models import AuditEntry

FIELDS = [{"key": "score", "type": "number"}, {"key": "why", "type": "text"}]


@pytest.fixture
def app_id() -> str:
    """An app that no other test uses."""
    return f"app-{uuid4().hex[:12]}"


@pytest.fixture
def front_end(client: httpx2.AsyncClient) -> FrontEnd:
    return FrontEnd(client)


async def make(front_end: FrontEnd, app_id: str, **fields: Any) -> Row:
    body = {"app_id": app_id, "name": "Completeness", "prompt": "How complete?", **fields}
    made: Row = await front_end.call("POST", "/evaluators", 201, body)
    return made


async def make_listing(front_end: FrontEnd, app_id: str) -> str:
    listing = await front_end.call("POST", "/listings", 201, {"app_id": app_id, "title": "Visit"})
    listing_id: str = listing["id"]
    return listing_id


async def test_create_read_change_and_delete(front_end: FrontEnd, app_id: str) -> None:
    body = {
        "app_id": app_id,
        "listing_id": await make_listing(front_end, app_id),
        "name": "Completeness",
        "prompt": "How complete is {{ transcript }}?",
        "model_id": "openai/gpt-5-mini",
        "output_schema": FIELDS,
        "is_global": True,
        "show_in_header": True,
    }
    made = await front_end.call("POST", "/evaluators", 201, body)
    assert {name: made[name] for name in body} == body
    assert made.keys() - body.keys() == {
        "id",
        "forked_from",
        "created_at",
        "updated_at",
        "user_id",
    }
    assert (made["forked_from"], made["user_id"]) == (None, "default")
    one = f"/evaluators/{made['id']}"
    assert await front_end.get(one) == made
    assert await front_end.get("/evaluators", app_id=app_id) == [made]

    changes = {"name": "Brevity", "output_schema": [], "show_in_header": False}
    changed = await front_end.call("PUT", one, 200, changes)
    assert changed["updated_at"] > made["updated_at"]
    assert changed == made | changes | {"updated_at": changed["updated_at"]}
    cleared = await front_end.call("PUT", one, 200, {"model_id": None, "listing_id": None})
    assert (cleared["model_id"], cleared["listing_id"]) == (None, None)
    assert cleared["name"] == "Brevity"
    for field in ("name", "prompt", "output_schema", "is_global", "show_in_header"):
        assert await front_end.fault("PUT", one, {field: None}) == f"body.{field}"

    assert await front_end.call("DELETE", one) == {"deleted": True, "id": made["id"]}
    for method, sent in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        await front_end.call(method, one, 404, sent)
    await front_end.call("PUT", f"{one}/global", 404, {"is_global": True})
    await front_end.call("POST", f"{one}/fork", 404)


async def test_most_fields_have_defaults(front_end: FrontEnd, app_id: str) -> None:
    made = await make(front_end, app_id)
    assert made["output_schema"] == []
    for name in ("listing_id", "model_id", "forked_from"):
        assert made[name] is None
    assert (made["is_global"], made["show_in_header"]) == (False, False)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"app_id": "a" * 51}, "body.app_id"),
        ({"name": ""}, "body.name"),
        ({"name": "a" * 201}, "body.name"),
        ({"prompt": None}, "body.prompt"),
        ({"prompt": "\0"}, "body.prompt"),
        ({"model_id": "m" * 101}, "body.model_id"),
        ({"output_schema": {}}, "body.output_schema"),
        ({"output_schema": ["score"]}, "body.output_schema[0]"),
        ({"output_schema": [{"key": "\0"}]}, "body.output_schema[0].key"),
        ({"listing_id": "7"}, "body.listing_id"),
        ({"forked_from": str(uuid4())}, "body.forked_from"),
    ],
)
async def test_a_faulty_body_is_422_with_its_place(
    front_end: FrontEnd, app_id: str, fields: Row, place: str
) -> None:
    body = {"app_id": app_id, "name": "Completeness", "prompt": "?"} | fields
    assert await front_end.fault("POST", "/evaluators", body) == place


async def test_lists_of_an_app_of_a_listing_and_of_the_registry(
    front_end: FrontEnd, app_id: str
) -> None:
    listing_id = await make_listing(front_end, app_id)
    plain = await make(front_end, app_id)
    own = await make(front_end, app_id, listing_id=listing_id)
    everywhere = await make(front_end, app_id, is_global=True)
    await make(front_end, f"{app_id}-2", is_global=True)
    path = "/evaluators"
    assert await front_end.listed(path, app_id=app_id) == ([everywhere, own, plain], 3)
    assert await front_end.listed(path, app_id=app_id, limit=1, offset=1) == ([own], 3)
    assert await front_end.listed(path, app_id=app_id, listing_id=listing_id) == ([own], 1)
    assert await front_end.listed(path, app_id=app_id, listing_id=str(uuid4())) == ([], 0)
    assert await front_end.listed(f"{path}/registry", app_id=app_id) == ([everywhere], 1)
    assert await front_end.fault("GET", path) == "query.app_id"
    assert await front_end.fault("GET", f"{path}/registry") == "query.app_id"


async def test_one_is_made_global_and_not_again(front_end: FrontEnd, app_id: str) -> None:
    made = await make(front_end, app_id)
    path = f"/evaluators/{made['id']}/global"
    for is_global in (True, True, False):
        changed = await front_end.call("PUT", path, 200, {"is_global": is_global})
        assert changed["is_global"] is is_global
        _, total = await front_end.listed("/evaluators/registry", app_id=app_id)
        assert total == int(is_global)
    for faulty in ({}, {"is_global": None}):
        assert await front_end.fault("PUT", path, faulty) == "body.is_global"


async def test_a_fork_is_a_copy_of_its_own(front_end: FrontEnd, app_id: str) -> None:
    listing_id = await make_listing(front_end, app_id)
    made = await make(
        front_end, app_id, is_global=True, output_schema=FIELDS, model_id="m", show_in_header=True
    )
    path = f"/evaluators/{made['id']}"
    fork = await front_end.call("POST", f"{path}/fork", 201, listing_id=listing_id)
    own = {"id", "created_at", "updated_at"}
    assert {name: fork[name] for name in fork.keys() - own} == {
        name: made[name] for name in made.keys() - own
    } | {"listing_id": listing_id, "is_global": False, "forked_from": made["id"]}
    assert fork["id"] != made["id"]
    assert await front_end.listed("/evaluators", app_id=app_id, listing_id=listing_id) == (
        [fork],
        1,
    )
    for_none = await front_end.call("POST", f"{path}/fork", 201)
    assert for_none["listing_id"] is None

    await front_end.call("PUT", path, 200, {"name": "Renamed"})
    assert await front_end.get(f"/evaluators/{fork['id']}") == fork
    await front_end.call("DELETE", path)
    assert (await front_end.get(f"/evaluators/{fork['id']}"))["forked_from"] is None


async def test_the_listing_has_to_be_of_the_same_app(front_end: FrontEnd, app_id: str) -> None:
    other = await make_listing(front_end, f"{app_id}-2")
    made = await make(front_end, app_id)
    body = {"app_id": app_id, "name": "n", "prompt": "?"}
    for listing_id in (other, str(uuid4())):
        await front_end.call("POST", "/evaluators", 404, body | {"listing_id": listing_id})
        path = f"/evaluators/{made['id']}"
        await front_end.call("PUT", path, 404, {"name": "n", "listing_id": listing_id})
        await front_end.call("POST", f"{path}/fork", 404, listing_id=listing_id)
    assert await front_end.listed("/evaluators", app_id=app_id) == ([made], 1)


async def test_one_outlives_its_listing(front_end: FrontEnd, app_id: str) -> None:
    listing_id = await make_listing(front_end, app_id)
    made = await make(front_end, app_id, listing_id=listing_id)
    await front_end.call("DELETE", f"/listings/{listing_id}", app_id=app_id)
    assert (await front_end.get(f"/evaluators/{made['id']}"))["listing_id"] is None


async def test_changes_are_recorded(front_end: FrontEnd, app_id: str, database: Database) -> None:
    made = await make(front_end, app_id)
    path = f"/evaluators/{made['id']}"
    fork = await front_end.call("POST", f"{path}/fork", 201)
    await front_end.call("PUT", f"{path}/global", 200, {"is_global": True})
    await front_end.call("DELETE", path)
    subjects = AuditEntry.subject.in_([made["id"], fork["id"]])
    async with database.session() as session:
        query = select(AuditEntry.action).where(subjects).order_by(AuditEntry.id)
        actions = list(await session.scalars(query))
    assert actions == [
        "evaluator.created",
        "evaluator.forked",
        "evaluator.updated",
        "evaluator.deleted",
    ]


@pytest.fixture
async def two_people(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[tuple[FrontEnd, FrontEnd]]:
    """An editor, and an admin who is somebody else."""
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        editor = await installation.person(Role.editor)
        admin = await installation.person(Role.admin)
        yield FrontEnd(editor.client), FrontEnd(admin.client)


async def test_those_of_others_are_not_there(
    two_people: tuple[FrontEnd, FrontEnd], app_id: str
) -> None:
    owner, admin = two_people
    listing_id = await make_listing(owner, app_id)
    made = await make(owner, app_id, is_global=True, listing_id=listing_id)
    for path in ("/evaluators", "/evaluators/registry"):
        assert await admin.listed(path, app_id=app_id) == ([], 0)
    one = f"/evaluators/{made['id']}"
    for method, path, body in (
        ("GET", one, None),
        ("PUT", one, {"name": "x"}),
        ("DELETE", one, None),
        ("POST", f"{one}/fork", None),
        ("PUT", f"{one}/global", {"is_global": False}),
        (
            "POST",
            "/evaluators",
            {"app_id": app_id, "name": "n", "prompt": "?", "listing_id": listing_id},
        ),
    ):
        await admin.call(method, path, 404, body)
    assert await owner.get(one) == made
