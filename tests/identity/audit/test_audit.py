"""The audit says who changed what, with what, and tells no secrets."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, select, update
from tests.identity.people import PASSWORD, Installation, Person
from tests.identity.signing_in import problem, sign_in
from tests.playground.conftest import Factory

from assay.core.database import Database
from assay.events.models import Event, Topic
from assay.identity.actor import LOCAL_ACTOR, Role, Scope
from assay.identity.audit.models import AuditEntry
from assay.identity.audit.service import Change, record, remove_old

AUDIT, USERS = "/api/v1/audit", "/api/v1/users"
Row = dict[str, Any]


async def entries(client: httpx2.AsyncClient, **query: Any) -> list[Row]:
    response = await client.get(AUDIT, params=query)
    assert response.status_code == 200, response.text
    rows: list[Row] = response.json()
    return rows


async def test_a_change_is_told_with_who_what_and_by_which_request(
    installation: Installation, admin: Person
) -> None:
    user = await installation.row(Role.viewer, name="Ada")
    path, request_id = f"{USERS}/{user.id}", uuid4().hex
    before = datetime.now(UTC) - timedelta(seconds=1)
    changed = await admin.client.patch(
        path, json={"name": "Grace", "role": "editor"}, headers={"X-Request-ID": request_id}
    )
    assert changed.status_code == 200
    [entry] = await entries(admin.client, subject=str(user.id))
    assert entry.pop("id")
    assert before < datetime.fromisoformat(entry.pop("created_at")) < datetime.now(UTC)
    assert entry == {
        "user_id": str(admin.id),
        "key_id": None,
        "action": "user.updated",
        "subject": str(user.id),
        "project_id": None,
        "details": {
            "changes": {
                "name": {"from": "Ada", "to": "Grace"},
                "role": {"from": "viewer", "to": "editor"},
            }
        },
        "request_id": request_id,
    }


async def test_what_is_done_with_a_key_names_the_key_and_its_owner(
    installation: Installation, admin: Person
) -> None:
    body = {"name": "K", "scopes": [Scope.playground_write]}
    key = (await admin.client.post("/api/v1/keys", json=body)).json()
    client = await installation.client(Authorization=f"Bearer {key['key']}")
    project = await Factory(client, installation.database).project(name="By a key")
    [entry] = await entries(admin.client, subject=project["id"])
    assert (entry["user_id"], entry["key_id"]) == (str(admin.id), key["id"])
    assert (entry["action"], entry["project_id"]) == ("project.created", project["id"])


async def test_entries_are_found_by_each_of_their_sides(
    installation: Installation, admin: Person
) -> None:
    person = await installation.person(Role.editor)
    factory = Factory(person.client, installation.database)
    first = await factory.project(name="First")
    second = await factory.project(name="Second")
    await factory.use_case(first["id"])
    mine = await entries(admin.client, user_id=str(person.id))
    made = [entry["action"] for entry in mine]
    assert made == ["use_case.created", "project.created", "project.created"], "newest first"

    async def found(**query: Any) -> list[Row]:
        return await entries(admin.client, user_id=str(person.id), **query)

    assert await found(action="project.created") == mine[1:]
    assert await found(subject=second["id"]) == [mine[1]]
    assert await found(project_id=first["id"]) == [mine[0], mine[2]]
    assert await found(project_id=first["id"], action="use_case.created") == [mine[0]]
    assert await found(since=mine[1]["created_at"]) == mine[:2]
    assert await found(until=mine[1]["created_at"]) == mine[2:]
    assert await found(since=mine[1]["created_at"], until=mine[0]["created_at"]) == [mine[1]]
    assert await found(action="project.deleted") == []
    pages = await Factory(admin.client, installation.database).pages(
        "/audit", 2, user_id=str(person.id)
    )
    assert [len(page) for page in pages] == [2, 1]
    assert [entry for page in pages for entry in page] == mine


@pytest.mark.parametrize("query", [{"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}])
async def test_a_moment_needs_its_time_zone(admin: Person, query: dict[str, str]) -> None:
    assert problem(await admin.client.get(AUDIT, params=query)) == (422, "invalid")


async def test_no_secret_stands_in_the_audit_nor_in_events(
    installation: Installation, admin: Person
) -> None:
    user = await installation.row(Role.editor)
    signed_in = await sign_in(installation, user.email)
    client = await installation.client(Authorization=f"Bearer {signed_in.access}")
    body = {"name": "K", "scopes": ["playground:read"]}
    key = (await client.post("/api/v1/keys", json=body)).json()["key"]
    changed = "staple paper clip envelope"
    own = await client.put("/api/v1/auth/password", json={"current": PASSWORD, "new": changed})
    assert own.status_code == 204
    reset = "envelope clip paper staple"
    by_admin = await admin.client.patch(f"{USERS}/{user.id}", json={"password": reset})
    assert by_admin.status_code == 200
    provider = await admin.client.put("/api/v1/providers/openai", json={"api_key": "sk-secret-1"})
    assert provider.status_code == 200
    told = await entries(admin.client, subject=str(user.id))
    assert [(entry["action"], entry["details"]) for entry in told] == [
        ("user.updated", {"changes": {}, "password": "changed"}),
        ("user.password_changed", None),
        ("user.signed_in", {"address": "127.0.0.1"}),
    ]
    stored = await installation.stored()
    for secret in (key[20:], changed, reset, PASSWORD, "sk-secret-1", signed_in.refresh):
        assert secret not in stored
        assert secret.encode().hex() not in stored
    everything = (await admin.client.get(AUDIT, params={"limit": 100})).text
    assert "argon2" not in everything
    assert "password_hash" not in everything


async def test_what_was_refused_is_not_told(installation: Installation, admin: Person) -> None:
    user = await installation.row(Role.viewer)
    path = f"{USERS}/{user.id}"
    assert (await admin.client.patch(path, json={"role": "owner"})).status_code == 422
    taken = await admin.client.post(
        USERS,
        json={"email": user.email, "name": "N", "role": "viewer", "password": PASSWORD},
    )
    assert taken.status_code == 409
    assert await entries(admin.client, subject=str(user.id)) == []


async def test_long_values_are_left_out(installation: Installation, admin: Person) -> None:
    factory = Factory(admin.client, installation.database)
    project = await factory.project(description="short")
    changes = {"description": "x" * 5000}
    await factory.call("PATCH", f"/projects/{project['id']}", 200, changes)
    newest, _ = await entries(admin.client, subject=project["id"])
    assert newest["details"]["changes"] == {
        "description": {"from": "short", "to": "(5002 characters)"}
    }


async def test_entry_and_event_stand_or_fall_with_the_change(own_database: Database) -> None:
    project_id = uuid4()
    change = Change(Topic.projects, "project.created", project_id, project_id, {"name": "P"})
    with pytest.raises(ZeroDivisionError):
        async with own_database.session() as session:
            record(session, LOCAL_ACTOR, change)
            await session.flush()
            raise ZeroDivisionError
    async with own_database.session() as session:
        assert await session.scalar(select(func.count()).select_from(AuditEntry)) == 0
        assert await session.scalar(select(func.count()).select_from(Event)) == 0
        record(session, LOCAL_ACTOR, change)
    async with own_database.session() as session:
        [entry] = await session.scalars(select(AuditEntry))
        [event] = await session.scalars(select(Event))
    assert (entry.user_id, entry.subject, entry.details) == (
        "default",
        str(project_id),
        {"name": "P"},
    )
    assert (event.topic, event.subject, event.project_id) == (
        Topic.projects,
        str(project_id),
        project_id,
    )
    assert event.data["by"] == "default"


async def test_old_entries_are_removed_a_few_at_a_time(own_database: Database) -> None:
    async with own_database.session() as session:
        for number in range(5):
            change = Change(Topic.projects, "project.updated", str(number))
            record(session, LOCAL_ACTOR, change)
    async with own_database.session() as session:
        old = AuditEntry.subject.in_(["0", "1", "2"])
        earlier = AuditEntry.created_at - timedelta(days=11)
        await session.execute(update(AuditEntry).where(old).values(created_at=earlier))
    async with own_database.session() as session:
        assert await remove_old(session, days=12, limit=10) == 0
        assert await remove_old(session, days=10, limit=2) == 2
        assert await remove_old(session, days=10, limit=2) == 1
        kept = await session.scalars(select(AuditEntry.subject).order_by(AuditEntry.subject))
        assert list(kept) == ["3", "4"]
