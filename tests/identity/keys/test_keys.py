"""API keys: made and shown once, used within limits, revoked at once."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from tests.identity.people import Installation, Person, soon
from tests.identity.signing_in import ME, problem
from tests.playground.conftest import Factory

from assay.identity.actor import Role, Scope
from assay.identity.keys.models import ApiKey, OwnSecret
from assay.identity.tokens import SHOWN, _checksum, new_key

KEYS, PROJECTS = "/api/v1/keys", "/api/v1/projects"
Row = dict[str, Any]


async def make(person: Person, *scopes: Scope, **fields: Any) -> Row:
    body = {"name": "Test", "scopes": scopes or [Scope.playground_read], **fields}
    response = await person.client.post(KEYS, json=body)
    assert response.status_code == 201, response.text
    made: Row = response.json()
    return made


async def use(installation: Installation, key: str, path: str = ME) -> httpx2.Response:
    client = await installation.client(Authorization=f"Bearer {key}")
    return await client.get(path)


@pytest.fixture
async def person(installation: Installation) -> Person:
    return await installation.person(Role.editor)


async def test_a_key_is_shown_once(installation: Installation, person: Person) -> None:
    made = await make(person, Scope.playground_write, name="CI")
    key = made.pop("key")
    assert key.startswith(made["lookup"])
    assert (await person.client.get(f"{KEYS}/{made['id']}")).json() == made
    assert (await person.client.get(KEYS)).json() == [made]
    assert made["scopes"] == ["playground:write"]
    me = (await use(installation, key)).json()
    assert me["scopes"] == ["playground:read", "playground:write"]
    assert (me["user_id"], me["role"]) == (str(person.id), "editor")


async def test_only_an_hmac_of_a_key_is_stored(installation: Installation, person: Person) -> None:
    made = await make(person)
    secret = made["key"][SHOWN:]
    async with installation.database.session() as session:
        row = await session.scalar(select(ApiKey).where(ApiKey.lookup == made["lookup"]))
        pepper = await session.scalar(select(OwnSecret.value))
    stored = await installation.stored()
    assert made["lookup"] in stored
    assert secret not in stored
    assert secret.encode().hex() not in stored
    assert row is not None
    assert len(row.hash) == 32
    assert row.hash != hashlib.sha256(made["key"].encode()).digest(), "a plain hash"
    assert pepper is not None
    assert pepper.startswith(b"gAAAA"), "what it is made with is sealed by SECRET_KEY"


async def test_a_key_is_found_by_an_index_of_unique_beginnings(
    installation: Installation, person: Person
) -> None:
    made = await make(person)
    async with installation.database.session() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            await session.scalars(
                text("EXPLAIN SELECT 1 FROM identity.api_keys WHERE lookup = 'ask_'")
            )
        )
        row = await session.scalar(select(ApiKey).where(ApiKey.lookup == made["lookup"]))
        assert row is not None
    assert "Index" in plan
    with pytest.raises(IntegrityError):
        async with installation.database.session() as session:
            session.add(
                ApiKey(
                    user_id=row.user_id, name="2", lookup=row.lookup, hash=b"x", scopes=row.scopes
                )
            )


async def test_a_good_beginning_with_another_end_is_refused_and_no_use_of_the_key(
    installation: Installation, twin: Installation, person: Person
) -> None:
    made = await make(person)
    random = made["key"][len("ask_") : SHOWN] + new_key()[SHOWN:-6]
    forged = "ask_" + random + _checksum(random)
    assert (len(forged), forged[:SHOWN]) == (len(made["key"]), made["lookup"])
    for server in (installation, twin):
        assert problem(await use(server, forged)) == (401, "key_refused")
    seen = (await person.client.get(f"{KEYS}/{made['id']}")).json()
    assert seen["last_used_at"] is None
    assert (await use(installation, made["key"])).status_code == 200
    assert problem(await use(installation, forged)) == (401, "key_refused")
    unknown = await use(installation, new_key())
    assert unknown.json()["detail"] == (await use(installation, forged)).json()["detail"]


async def test_a_mistyped_key_is_refused_with_that_reason(
    installation: Installation, person: Person
) -> None:
    key = (await make(person))["key"]
    for wrong in (key[:-1], key + "x", key[:20] + key[21:], key.upper(), "ask_"):
        response = await use(installation, wrong)
        assert problem(response)[0] == 401
    assert "mistyped" in (await use(installation, key[:-1])).json()["detail"]


@pytest.mark.parametrize(
    ("role", "fields", "place"),
    [
        (Role.viewer, {"scopes": ["playground:write"]}, "body.scopes"),
        (Role.reviewer, {"scopes": ["playground:read", "playground:write"]}, "body.scopes"),
        (Role.editor, {"scopes": ["admin"]}, "body.scopes"),
        (Role.editor, {"scopes": ["metrics:read"]}, "body.scopes"),
        (Role.viewer, {"scopes": []}, "body.scopes"),
        (Role.viewer, {"scopes": ["everything"]}, "body.scopes[0]"),
        (Role.viewer, {"scopes": ["playground:read"] * (len(Scope) + 1)}, "body.scopes"),
        (Role.viewer, {"expires_at": "2020-01-01T00:00:00Z"}, "body.expires_at"),
        (Role.viewer, {"expires_at": "2099-01-01T00:00:00"}, "body.expires_at"),
        (Role.viewer, {"name": ""}, "body.name"),
        (Role.viewer, {"role": "admin"}, "body.role"),
        (Role.viewer, {"user_id": str(uuid4())}, "body.user_id"),
    ],
)
async def test_a_key_that_would_do_too_much_or_nothing_is_not_made(
    installation: Installation, role: Role, fields: Row, place: str
) -> None:
    person = await installation.person(role)
    body = {"name": "K", "scopes": ["playground:read"]} | fields
    response = await person.client.post(KEYS, json=body)
    assert problem(response) == (422, "invalid")
    assert [fault["place"] for fault in response.json()["errors"]] == [place]
    assert (await person.client.get(KEYS)).json() == []


async def test_a_key_of_one_project_is_not_for_what_is_beyond(
    installation: Installation, admin: Person
) -> None:
    project = await Factory(admin.client, installation.database).project()
    for scope in (Scope.admin, Scope.metrics_read):
        body = {"name": "K", "scopes": [scope], "project_id": project["id"]}
        response = await admin.client.post(KEYS, json=body)
        assert [fault["place"] for fault in response.json()["errors"]] == ["body.project_id"]


async def test_a_key_is_not_made_for_a_project_that_one_does_not_see(
    installation: Installation, admin: Person, person: Person
) -> None:
    project = await Factory(admin.client, installation.database).project()
    for project_id in (project["id"], str(uuid4())):
        body = {"name": "K", "scopes": ["playground:read"], "project_id": project_id}
        assert problem(await person.client.post(KEYS, json=body)) == (404, "not_found")


async def test_a_key_of_one_project_ends_with_its_owners_share(
    installation: Installation, admin: Person, person: Person
) -> None:
    factory = Factory(admin.client, installation.database)
    project, other = await factory.project(), await factory.project()
    for each in (project, other):
        await installation.share(admin, each["id"], person, Role.editor)
    key = (await make(person, project_id=project["id"]))["key"]
    assert (await use(installation, key)).json()["project_id"] == project["id"]
    listed = (await use(installation, key, PROJECTS)).json()
    assert [row["id"] for row in listed] == [project["id"]]
    assert (await use(installation, key, f"{PROJECTS}/{other['id']}")).status_code == 404
    path = f"{PROJECTS}/{project['id']}"
    assert (await use(installation, key, path)).status_code == 200
    assert (await admin.client.delete(f"{path}/members/{person.id}")).status_code == 204
    assert (await use(installation, key, path)).status_code == 404
    assert (await use(installation, key, PROJECTS)).json() == []


async def test_a_key_expires(installation: Installation, person: Person) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=0.7)
    key = (await make(person, expires_at=expires_at.isoformat()))["key"]
    assert (await use(installation, key)).status_code == 200
    await asyncio.sleep(max(0.0, (expires_at - datetime.now(UTC)).total_seconds()) + 0.01)
    assert problem(await use(installation, key)) == (401, "key_refused")


async def test_a_revoked_key_is_refused_at_once_on_every_server(
    installation: Installation, twin: Installation, admin: Person, person: Person
) -> None:
    made = await make(person)
    clients = [
        await server.client(Authorization=f"Bearer {made['key']}")
        for server in (installation, twin)
    ]
    for client in clients:
        assert (await client.get(ME)).status_code == 200
    for _ in range(2):
        assert (await person.client.delete(f"{KEYS}/{made['id']}")).status_code == 204
    for client in clients:
        assert problem(await soon(partial(client.get, ME), 401)) == (401, "key_refused")
    row = (await person.client.get(f"{KEYS}/{made['id']}")).json()
    assert row["revoked_at"] is not None
    found = await admin.client.get("/api/v1/audit", params={"subject": made["id"]})
    assert [entry["action"] for entry in found.json()] == ["key.revoked", "key.created"]


async def test_a_key_does_no_more_than_its_owner(
    installation: Installation, admin: Person, person: Person
) -> None:
    key = (await make(person, Scope.playground_write))["key"]
    client = await installation.client(Authorization=f"Bearer {key}")
    assert (await client.post(PROJECTS, json={"name": "P"})).status_code == 201
    lowered = await admin.client.patch(f"/api/v1/users/{person.id}", json={"role": "viewer"})
    assert lowered.status_code == 200
    answer = await soon(partial(client.post, PROJECTS, json={"name": "P"}), 403)
    assert problem(answer) == (403, "role_too_low")
    assert (await client.get(PROJECTS)).status_code == 200


async def test_when_a_key_was_last_used_is_noted_now_and_then(
    installation: Installation, twin: Installation, person: Person
) -> None:
    made = await make(person)
    path = f"{KEYS}/{made['id']}"

    async def last_used() -> str | None:
        used_at: str | None = (await person.client.get(path)).json()["last_used_at"]
        return used_at

    assert await last_used() is None
    await use(installation, made["key"])
    first = await last_used()
    assert first is not None
    await use(twin, made["key"])
    assert await last_used() == first, "a minute has not passed"
    async with installation.database.session() as session:
        earlier = ApiKey.last_used_at - timedelta(minutes=2)
        await session.execute(
            update(ApiKey).where(ApiKey.lookup == made["lookup"]).values(last_used_at=earlier)
        )
    installation.app.state.authenticator._forget()
    await use(installation, made["key"])
    again = await last_used()
    assert again is not None
    assert again > first


async def test_ones_own_keys_are_listed_newest_first_and_admins_see_those_of_all(
    installation: Installation, admin: Person, person: Person
) -> None:
    other = await installation.person(Role.viewer)
    mine = [await make(person) for _ in range(3)]
    theirs = await make(other)

    async def listed(client: httpx2.AsyncClient, **query: Any) -> list[str]:
        return [row["id"] for row in (await client.get(KEYS, params=query)).json()]

    own = [key["id"] for key in reversed(mine)]
    assert await listed(person.client) == own
    assert await listed(person.client, of_all=True) == own, "it is for admins"
    assert await listed(person.client, limit=2) == own[:2]
    assert await listed(admin.client, of_all=True, limit=4) == [theirs["id"], *own]
    assert theirs["id"] not in await listed(admin.client)


async def test_the_keys_of_others_are_not_there_but_for_admins(
    installation: Installation, admin: Person, person: Person
) -> None:
    other = await installation.person(Role.editor)
    made = await make(person)
    path = f"{KEYS}/{made['id']}"
    for client in (other.client.get, other.client.delete):
        assert problem(await client(path)) == (404, "not_found")
    assert (await use(installation, made["key"])).status_code == 200
    assert (await admin.client.get(path)).json()["user_id"] == str(person.id)
    assert (await admin.client.delete(path)).status_code == 204
    assert (await admin.client.get(f"{KEYS}/{uuid4()}")).status_code == 404


async def test_a_key_makes_and_ends_no_keys(installation: Installation, admin: Person) -> None:
    client = await installation.with_key(admin, *Scope)
    body = {"name": "K", "scopes": ["playground:read"]}
    assert problem(await client.post(KEYS, json=body)) == (403, "people_only")
    assert problem(await client.get(KEYS)) == (403, "people_only")
    assert problem(await client.delete(f"{KEYS}/{uuid4()}")) == (403, "people_only")
