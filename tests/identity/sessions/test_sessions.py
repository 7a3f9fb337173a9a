"""One's own sign-ins: ending them, by hand, by a new password, by time."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from tests.identity.people import PASSWORD, Installation, Person, soon
from tests.identity.signing_in import LOGIN, ME, SignIn, cookies, problem, sign_in

from assay.core.database import Database
from assay.core.ids import new_id
from assay.identity.actor import Role
from assay.identity.sessions.models import LoginLimit, RefreshToken, UserSession
from assay.identity.sessions.service import remove_ended
from assay.identity.tokens import AccessClaims
from assay.identity.users.models import User

SESSIONS, LOGOUT, CHANGE = "/api/v1/auth/sessions", "/api/v1/auth/logout", "/api/v1/auth/password"
NEW = "staple paper clip envelope"


async def test_signing_out_ends_the_sign_in_and_takes_the_cookies_back(
    installation: Installation,
) -> None:
    user = await installation.row(Role.viewer)
    client = await installation.log_in(user.email)
    before = SignIn(
        installation,
        client.cookies["assay_access"],
        client.cookies["assay_refresh"],
        {"user": {"id": str(user.id)}},
    )
    response = await client.post(LOGOUT)
    assert response.status_code == 204
    taken = cookies(response)
    assert {name: (morsel.value, morsel["path"]) for name, morsel in taken.items()} == {
        "assay_access": ("", "/"),
        "assay_refresh": ("", "/api/v1/auth"),
    }
    assert not client.cookies
    assert problem(await before.renew()) == (401, "refresh_refused")
    assert problem(await soon(before.me, 401)) == (401, "token_refused")
    assert problem(await client.get(ME)) == (401, "unauthorized")


@pytest.mark.parametrize("by", ["bearer", "access cookie", "refresh cookie"])
async def test_either_token_is_enough_to_sign_out(installation: Installation, by: str) -> None:
    signed_in = await sign_in(installation, (await installation.row(Role.viewer)).email)
    other = await sign_in(installation, signed_in.body["user"]["email"])
    headers = {
        "bearer": {"Authorization": f"Bearer {signed_in.access}"},
        "access cookie": {"Cookie": f"assay_access={signed_in.access}"},
        "refresh cookie": {"Cookie": f"assay_refresh={signed_in.refresh}"},
    }[by]
    client = await installation.client()
    assert (await client.post(LOGOUT, headers=headers)).status_code == 204
    assert problem(await signed_in.renew()) == (401, "refresh_refused")
    assert (await other.me()).status_code == 200


async def test_signing_out_without_a_sign_in_is_no_fault(
    installation: Installation, admin: Person
) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "assay_refresh=x"}):
        client = await installation.client(**headers)
        assert (await client.post(LOGOUT)).status_code == 204
    assert (await admin.client.get(ME)).status_code == 200


async def test_one_sees_where_one_is_signed_in_and_ends_it_there(
    installation: Installation,
) -> None:
    user = await installation.row(Role.viewer)
    phone = await sign_in(installation, user.email, **{"User-Agent": "Phone"})
    await sign_in(installation, user.email, **{"User-Agent": "Old phone"})
    laptop = await installation.client(Authorization=f"Bearer {phone.access}")
    listed = (await laptop.get(SESSIONS)).json()
    assert [(row["user_agent"], row["current"]) for row in listed] == [
        ("Old phone", False),
        ("Phone", True),
    ]
    assert {row["address"] for row in listed} == {"127.0.0.1"}
    [first] = (await laptop.get(SESSIONS, params={"limit": 1})).json()
    assert first == listed[0]
    ended = await laptop.delete(f"{SESSIONS}/{listed[0]['id']}")
    assert ended.status_code == 204
    assert [row["user_agent"] for row in (await laptop.get(SESSIONS)).json()] == ["Phone"]
    assert (await laptop.delete(f"{SESSIONS}/{listed[0]['id']}")).status_code == 404
    assert (await laptop.delete(f"{SESSIONS}/{listed[1]['id']}")).status_code == 204
    assert problem(await soon(phone.me, 401)) == (401, "token_refused")


async def test_the_sign_ins_of_others_are_not_there(
    installation: Installation, admin: Person
) -> None:
    person = await installation.person(Role.viewer)
    [mine] = (await person.client.get(SESSIONS)).json()
    for session_id in (mine["id"], uuid4()):
        response = await admin.client.delete(f"{SESSIONS}/{session_id}")
        assert problem(response) == (404, "not_found")
    assert mine["id"] not in (await admin.client.get(SESSIONS)).text
    assert (await person.client.get(ME)).status_code == 200


async def test_a_sign_in_ends_when_its_time_is_over(installation: Installation) -> None:
    user = await installation.row(Role.viewer)
    row = UserSession(
        id=new_id(), user_id=user.id, expires_at=datetime.now(UTC) + timedelta(seconds=0.5)
    )
    async with installation.database.session() as session:
        session.add(row)
    token = installation.app.state.authenticator.access_tokens.sign(AccessClaims(user.id, row.id))
    client = await installation.client(Authorization=f"Bearer {token}")
    assert (await client.get(ME)).status_code == 200
    await asyncio.sleep(0.5)
    assert problem(await client.get(ME)) == (401, "token_refused")


async def test_a_new_password_ends_the_other_sign_ins(installation: Installation) -> None:
    user = await installation.row(Role.viewer)
    here, there = [await sign_in(installation, user.email) for _ in range(2)]
    client = await installation.client(Authorization=f"Bearer {here.access}")
    changed = await client.put(CHANGE, json={"current": PASSWORD, "new": NEW})
    assert changed.status_code == 204
    assert problem(await there.renew()) == (401, "refresh_refused")
    await soon(there.me, 401)
    assert (await here.me()).status_code == 200
    assert (await here.renew()).status_code == 200
    old = await client.post(LOGIN, json={"email": user.email, "password": PASSWORD})
    assert problem(old) == (401, "login_refused")
    await sign_in(installation, user.email, NEW)


async def test_a_new_password_takes_the_current_one(installation: Installation) -> None:
    person = await installation.person(Role.viewer)
    wrong = await person.client.put(CHANGE, json={"current": "wrong", "new": NEW})
    assert problem(wrong) == (401, "login_refused")
    short = await person.client.put(CHANGE, json={"current": PASSWORD, "new": "short word"})
    assert problem(short) == (422, "invalid")
    assert "short word" not in short.text
    await sign_in(installation, person.email)


async def test_of_two_new_passwords_at_once_one_wins(installation: Installation) -> None:
    """The current password was right when it was verified, but then it was not any more."""
    person = await installation.person(Role.viewer)
    passwords = ["first new password", "second new password"]
    answers = await asyncio.gather(
        *(
            person.client.put(CHANGE, json={"current": PASSWORD, "new": password})
            for password in passwords
        )
    )
    assert sorted(answer.status_code for answer in answers) == [204, 401]
    won = passwords[[answer.status_code for answer in answers].index(204)]
    await sign_in(installation, person.email, won)


async def test_what_has_ended_is_removed_in_the_course_of_time(own_database: Database) -> None:
    now = datetime.now(UTC)
    user = User(email="ada@example.com", name="Ada", role=Role.viewer)
    async with own_database.session() as session:
        session.add(user)
        await session.flush()
        expired, revoked, good = [
            UserSession(user_id=user.id, expires_at=now + timedelta(hours=hours), revoked_at=ended)
            for hours, ended in ((-1, None), (1, now), (1, None))
        ]
        session.add_all([expired, revoked, good])
        await session.flush()
        session.add(RefreshToken(hash=b"expired", session_id=expired.id))
        session.add_all(
            LoginLimit(subject=subject, due=now + timedelta(hours=hours))
            for subject, hours in ((b"whole", -1), (b"used up", 1))
        )
    async with own_database.session() as session:
        assert await remove_ended(session, limit=10) == 2
        assert await remove_ended(session, limit=10) == 0
        assert set(await session.scalars(select(UserSession.id))) == {revoked.id, good.id}
        assert list(await session.scalars(select(LoginLimit.subject))) == [b"used up"]
        assert not list(await session.scalars(select(RefreshToken.hash)))
