"""Users: made, found and changed by admins, of whom there is always one."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import delete, select
from tests.identity.people import PASSWORD, Installation, Person, soon
from tests.identity.signing_in import LOGIN, ME, problem, sign_in

from assay.identity.actor import Role
from assay.identity.users.models import User

USERS = "/api/v1/users"
NEW = {"email": "grace@example.com", "name": "Grace", "role": "viewer", "password": PASSWORD}


def places(response: httpx2.Response) -> list[str]:
    return [fault["place"] for fault in response.json()["errors"]]


async def test_a_user_is_made_and_signs_in(installation: Installation, admin: Person) -> None:
    body = NEW | {"email": " Grace.Hopper@Example.com ", "role": "editor"}
    response = await admin.client.post(USERS, json=body)
    assert response.status_code == 201
    made = response.json()
    assert (made["email"], made["role"]) == ("grace.hopper@example.com", "editor")
    assert (made["is_active"], made["last_login_at"]) == (True, None)
    assert not {"password", "password_hash"} & made.keys()
    signed_in = await sign_in(installation, "grace.hopper@example.com")
    assert (await signed_in.me()).json()["role"] == "editor"
    read = (await admin.client.get(f"{USERS}/{made['id']}")).json()
    assert read["last_login_at"] is not None
    assert read.keys() == made.keys()


async def test_an_address_is_for_one_user_whatever_its_case(
    installation: Installation, admin: Person
) -> None:
    user = await installation.row(Role.viewer)
    response = await admin.client.post(USERS, json=NEW | {"email": user.email.upper()})
    assert problem(response) == (409, "conflict")
    assert "e-mail address" in response.json()["detail"]


async def test_of_two_users_with_one_address_one_is_made(
    installation: Installation, admin: Person
) -> None:
    body = NEW | {"email": "twice@example.com"}
    answers = await asyncio.gather(*(admin.client.post(USERS, json=body) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    async with installation.database.session() as session:
        found = await session.scalars(select(User.id).where(User.email == body["email"]))
    assert len(list(found)) == 1


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"email": "no address"}, "body.email"),
        ({"email": "a@b@c"}, "body.email"),
        ({"email": "@example.com"}, "body.email"),
        ({"email": f"{'x' * 320}@example.com"}, "body.email"),
        ({"name": ""}, "body.name"),
        ({"role": "owner"}, "body.role"),
        ({"password": "x" * 11}, "body.password"),
        ({"password": "x" * 201}, "body.password"),
        ({"password": None}, "body.password"),
        ({"is_active": False}, "body.is_active"),
        ({"id": str(uuid4())}, "body.id"),
    ],
)
async def test_a_user_of_another_form_is_not_made(
    admin: Person, fields: dict[str, Any], place: str
) -> None:
    response = await admin.client.post(USERS, json=NEW | fields)
    assert problem(response) == (422, "invalid")
    assert places(response) == [place]


@pytest.mark.parametrize("password", ["x" * 12, "x" * 200, "パスワードはとても長いです"])
async def test_a_password_is_long_and_of_any_characters(
    installation: Installation, admin: Person, password: str
) -> None:
    body = NEW | {"email": f"{uuid4()}@example.com", "password": password}
    assert (await admin.client.post(USERS, json=body)).status_code == 201
    await sign_in(installation, body["email"], password)


async def test_a_password_that_is_refused_is_not_sent_back(admin: Person) -> None:
    secret = "hunter2"
    for method, path, body in (
        ("POST", USERS, NEW | {"password": secret}),
        ("PATCH", f"{USERS}/{admin.id}", {"password": secret}),
    ):
        response = await admin.client.request(method, path, json=body)
        assert response.status_code == 422
        assert secret not in response.text


async def test_users_are_found_by_a_part_of_name_or_address(
    installation: Installation, admin: Person
) -> None:
    ada = await installation.row(Role.viewer, name="Ada Lovelace", email="countess@example.com")
    odd = await installation.row(Role.viewer, name="100%_sure", email="odd@example.com")

    async def found(search: str) -> list[str]:
        listed = await admin.client.get(USERS, params={"search": search})
        return [row["id"] for row in listed.json()]

    assert await found("LOVE") == [str(ada.id)]
    assert await found("countess@") == [str(ada.id)]
    assert await found("%_") == [str(odd.id)], "these are no wildcards"
    assert await found("nobody of this name") == []
    newest = await admin.client.get(USERS, params={"limit": 2})
    assert [row["id"] for row in newest.json()] == [str(odd.id), str(ada.id)]
    assert 'rel="next"' in newest.headers["link"]


async def test_only_what_is_sent_is_changed(installation: Installation, admin: Person) -> None:
    user = await installation.row(Role.reviewer)
    path = f"{USERS}/{user.id}"
    before = (await admin.client.get(path)).json()
    after = (await admin.client.patch(path, json={"name": "Renamed"})).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"name", "updated_at"}
    await sign_in(installation, user.email)


@pytest.mark.parametrize(
    "fields",
    [{"name": None}, {"role": None}, {"is_active": None}, {"email": "b@c"}, {"password": "short"}],
)
async def test_a_change_of_another_form_is_refused(admin: Person, fields: dict[str, Any]) -> None:
    response = await admin.client.patch(f"{USERS}/{admin.id}", json=fields)
    assert problem(response) == (422, "invalid")
    assert places(response) == [f"body.{next(iter(fields))}"]


async def test_a_user_who_is_not_there_is_404(admin: Person) -> None:
    path = f"{USERS}/{uuid4()}"
    assert problem(await admin.client.get(path)) == (404, "not_found")
    assert problem(await admin.client.patch(path, json={"name": "N"})) == (404, "not_found")


async def test_a_password_that_an_admin_sets_ends_all_sign_ins(
    installation: Installation, admin: Person
) -> None:
    user = await installation.row(Role.viewer)
    before = await sign_in(installation, user.email)
    body = {"password": "staple paper clip envelope"}
    assert (await admin.client.patch(f"{USERS}/{user.id}", json=body)).status_code == 200
    assert problem(await before.renew()) == (401, "refresh_refused")
    await soon(before.me, 401)
    client = await installation.client()
    old = await client.post(LOGIN, json={"email": user.email, "password": PASSWORD})
    assert problem(old) == (401, "login_refused")
    await sign_in(installation, user.email, body["password"])


@pytest.mark.parametrize("fields", [{"is_active": False}, {"role": "editor"}])
async def test_the_last_admin_stays(fresh: Installation, fields: dict[str, Any]) -> None:
    admin = await fresh.person(Role.admin)
    await fresh.row(Role.admin, is_active=False)
    editor = await fresh.row(Role.editor)
    path = f"{USERS}/{admin.id}"
    response = await admin.client.patch(path, json=fields)
    assert problem(response) == (409, "conflict")
    assert "last admin" in response.json()["detail"]
    assert (await admin.client.patch(path, json={"name": "N", "role": "admin"})).status_code == 200
    assert (await admin.client.patch(f"{USERS}/{editor.id}", json=fields)).status_code == 200
    await fresh.row(Role.admin)
    assert (await admin.client.patch(path, json=fields)).status_code == 200


@pytest.mark.parametrize("fields", [{"is_active": False}, {"role": "viewer"}])
async def test_of_admins_who_remove_each_other_at_once_one_stays(
    fresh: Installation, fields: dict[str, Any]
) -> None:
    for _ in range(3):
        admins = [await fresh.person(Role.admin) for _ in range(2)]
        # Known to the server, so that both requests come as far as the users.
        for admin in admins:
            assert (await admin.client.get(ME)).status_code == 200
        requests: list[Awaitable[httpx2.Response]] = [
            one.client.patch(f"{USERS}/{other.id}", json=fields)
            for one, other in zip(admins, reversed(admins), strict=True)
        ]
        codes = sorted([answer.status_code for answer in await asyncio.gather(*requests)])
        assert codes[0] == 200
        assert codes[1] in (401, 403, 409), "the other is not an admin any more"
        async with fresh.database.session() as session:
            query = select(User.id).where(User.role == Role.admin, User.is_active)
            assert len(list(await session.scalars(query))) == 1
            await session.execute(delete(User))
