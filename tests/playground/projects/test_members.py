"""Whom a project is shared with: by whom, as what, and how it ends."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.identity.people import Installation, Person, installed

from assay.core.config import Settings
from assay.identity.actor import Role, Scope


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Any]
) -> AsyncIterator[tuple[Installation, Person]]:
    """A server with an admin."""
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation, await installation.person(Role.admin)


@dataclass(frozen=True)
class Team:
    """A project of `owner`, an editor who made it, and nobody else's."""

    people: Installation
    admin: Person
    owner: Person
    project: str

    @property
    def path(self) -> str:
        return f"/api/v1/projects/{self.project}"

    async def put(self, client: httpx2.AsyncClient, email: str, role: str, status: int) -> Any:
        response = await client.put(f"{self.path}/members", json={"email": email, "role": role})
        assert response.status_code == status, response.text
        return response.json()

    async def remove(self, client: httpx2.AsyncClient, person: Person, status: int) -> None:
        response = await client.delete(f"{self.path}/members/{person.id}")
        assert response.status_code == status, response.text

    async def members(self, client: httpx2.AsyncClient) -> dict[str, str]:
        response = await client.get(f"{self.path}/members")
        assert response.status_code == 200, response.text
        return {member["email"]: member["role"] for member in response.json()}

    async def sees(self, client: httpx2.AsyncClient) -> bool:
        """Whether the project is there for them, in the list as by its id."""
        listed = (await client.get("/api/v1/projects", params={"limit": 200})).json()
        seen = self.project in {project["id"] for project in listed}
        assert (await client.get(self.path)).status_code == (200 if seen else 404)
        return seen


@pytest.fixture
async def team(installation: tuple[Installation, Person]) -> Team:
    people, admin = installation
    owner = await people.person(Role.editor)
    made = await owner.client.post("/api/v1/projects", json={"name": "Team"})
    return Team(people, admin, owner, made.json()["id"])


async def test_who_makes_a_project_is_its_first_admin(team: Team) -> None:
    assert await team.members(team.owner.client) == {team.owner.email: "admin"}
    other = await team.people.person(Role.editor)
    assert await team.sees(team.owner.client)
    assert await team.sees(team.admin.client)
    assert not await team.sees(other.client)


async def test_share_change_and_remove(team: Team) -> None:
    ada = await team.people.person(Role.editor)
    shared = await team.put(team.owner.client, f" {ada.email.upper()} ", "viewer", 200)
    assert shared == {
        "user_id": str(ada.id),
        "email": ada.email,
        "name": shared["name"],
        "role": "viewer",
        "created_at": shared["created_at"],
        "updated_at": shared["updated_at"],
    }
    assert await team.sees(ada.client)
    changed = await team.put(team.owner.client, ada.email, "editor", 200)
    assert changed["role"] == "editor"
    assert changed["created_at"] == shared["created_at"]
    assert changed["updated_at"] > shared["updated_at"]
    assert await team.members(ada.client) == {team.owner.email: "admin", ada.email: "editor"}
    await team.remove(team.owner.client, ada, 204)
    assert not await team.sees(ada.client)
    assert await team.members(team.owner.client) == {team.owner.email: "admin"}
    await team.remove(team.owner.client, ada, 404)


async def test_members_come_in_pages(team: Team) -> None:
    for role in (Role.viewer, Role.reviewer):
        person = await team.people.person(role)
        await team.put(team.owner.client, person.email, role, 200)
    seen, url = [], f"{team.path}/members?limit=2"
    while url:
        response = await team.owner.client.get(url)
        seen.append([member["email"] for member in response.json()])
        url = response.links.get("next", {}).get("url", "")
    assert [len(page) for page in seen] == [2, 1]
    assert {email for page in seen for email in page} == set(await team.members(team.owner.client))


@pytest.mark.parametrize(
    ("held", "may"), [("viewer", False), ("reviewer", False), ("editor", False), ("admin", True)]
)
async def test_only_an_admin_of_the_project_shares_it(team: Team, held: str, may: bool) -> None:
    ada = await team.people.person(Role.editor)
    await team.put(team.owner.client, ada.email, held, 200)
    assert team.owner.email in await team.members(ada.client)
    problem = await team.put(ada.client, team.admin.email, "viewer", 200 if may else 403)
    assert may or problem["code"] == "role_too_low"
    await team.put(ada.client, ada.email, "admin", 200 if may else 403)
    await team.remove(ada.client, team.owner, 204 if may else 403)
    assert (team.owner.email in await team.members(ada.client)) is not may


@pytest.mark.parametrize("role", [Role.viewer, Role.reviewer])
async def test_a_share_lifts_nobody_above_their_own_role(team: Team, role: Role) -> None:
    ada = await team.people.person(role)
    await team.put(team.owner.client, ada.email, "admin", 200)
    await team.put(ada.client, team.admin.email, "viewer", 403)
    await team.remove(ada.client, team.owner, 403)
    assert (await ada.client.patch(team.path, json={"name": "Mine"})).status_code == 403
    assert (await ada.client.delete(team.path)).status_code == 403


async def test_admins_of_the_house_need_no_share(team: Team) -> None:
    ada = await team.people.person(Role.viewer)
    await team.put(team.admin.client, ada.email, "viewer", 200)
    await team.remove(team.admin.client, ada, 204)
    await team.remove(team.admin.client, team.owner, 204)
    assert await team.members(team.admin.client) == {}, "a project may be left to them alone"
    assert not await team.sees(team.owner.client)
    assert await team.sees(team.admin.client)


@pytest.mark.parametrize("role", [Role.viewer, Role.editor])
async def test_everybody_may_leave(team: Team, role: Role) -> None:
    ada = await team.people.person(role)
    await team.put(team.owner.client, ada.email, "viewer", 200)
    await team.remove(ada.client, ada, 204)
    assert not await team.sees(ada.client)
    await team.remove(ada.client, ada, 404)


async def test_the_last_admin_of_a_project_may_leave_it_to_those_of_the_house(team: Team) -> None:
    ada = await team.people.person(Role.editor)
    await team.put(team.owner.client, ada.email, "editor", 200)
    await team.remove(team.owner.client, team.owner, 204)
    await team.put(ada.client, team.owner.email, "admin", 403)
    await team.put(team.admin.client, ada.email, "admin", 200)
    await team.put(ada.client, team.owner.email, "viewer", 200)


async def test_to_those_it_is_not_shared_with_there_is_no_project(team: Team) -> None:
    stranger = await team.people.person(Role.editor)
    assert (await stranger.client.get(f"{team.path}/members")).status_code == 404
    await team.put(stranger.client, stranger.email, "viewer", 404)
    await team.remove(stranger.client, team.owner, 404)
    await team.remove(stranger.client, stranger, 404)


async def test_keys_share_only_where_they_may_write(team: Team) -> None:
    other = (await team.owner.client.post("/api/v1/projects", json={"name": "Other"})).json()
    for scope, fields, status in (
        (Scope.playground_read, {}, 403),
        (Scope.playground_write, {"project_id": other["id"]}, 404),
        (Scope.playground_write, {"project_id": team.project}, 200),
        (Scope.playground_write, {}, 200),
    ):
        client = await team.people.with_key(team.owner, scope, **fields)
        await team.put(client, team.admin.email, "viewer", status)


async def test_what_cannot_be_shared(team: Team) -> None:
    problem = await team.put(team.owner.client, "nobody@example.com", "viewer", 404)
    assert problem["detail"] == "There is no user with the e-mail address nobody@example.com."
    problem = await team.put(team.owner.client, "no address", "owner", 422)
    places = [fault["place"] for fault in problem["errors"]]
    assert places == ["body.email", "body.role"]
    missing = await team.admin.client.put(
        f"/api/v1/projects/{uuid4()}/members", json={"email": team.owner.email, "role": "viewer"}
    )
    assert missing.json()["detail"] == "There is no project with this id."


async def test_shares_are_told_and_written_to_the_audit(team: Team) -> None:
    ada = await team.people.person(Role.viewer)
    await team.put(team.owner.client, ada.email, "viewer", 200)
    await team.put(team.owner.client, ada.email, "editor", 200)
    await team.put(ada.client, ada.email, "admin", 403)
    await team.remove(ada.client, ada, 204)
    connection = await team.people.database.connect()
    rows = await connection.fetch(
        "SELECT type, topic, project_id, data FROM events.events "
        "WHERE subject = $1 AND type <> 'project.created' ORDER BY position",
        team.project,
    )
    await connection.close()
    assert [row["type"] for row in rows] == [
        "project.shared",
        "project.shared",
        "project.unshared",
    ]
    assert {str(row["project_id"]) for row in rows} == {team.project}
    audit = await team.admin.client.get("/api/v1/audit", params={"subject": team.project})
    about = {"user_id": str(ada.id), "email": ada.email}
    assert [
        (entry["action"], entry["user_id"], entry["details"]) for entry in audit.json()[:3]
    ] == [
        ("project.unshared", str(ada.id), about),
        ("project.shared", str(team.owner.id), {**about, "role": "editor"}),
        ("project.shared", str(team.owner.id), {**about, "role": "viewer"}),
    ]


async def test_with_a_project_its_shares_are_gone(team: Team) -> None:
    ada = await team.people.person(Role.viewer)
    await team.put(team.owner.client, ada.email, "viewer", 200)
    assert (await team.owner.client.delete(team.path)).status_code == 204
    assert not await team.sees(ada.client)
    assert (await ada.client.get("/api/v1/projects")).json() == []
