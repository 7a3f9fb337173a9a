"""Signing in, and what it gives."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select, text, update
from tests.identity.people import PASSWORD, Installation, Person
from tests.identity.signing_in import LOGIN, ME, cookies, problem, sign_in

from assay.identity.actor import Role
from assay.identity.passwords import hash_password
from assay.identity.sessions.models import RefreshToken, UserSession
from assay.identity.users.models import User

DAY = 24 * 60 * 60


async def log_in(installation: Installation, email: str, password: str) -> httpx2.Response:
    client = await installation.client()
    return await client.post(LOGIN, json={"email": email, "password": password})


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_both_tokens_come_in_cookies_that_scripts_and_other_sites_do_not_get(
    installation: Installation, scheme: str
) -> None:
    user = await installation.row(Role.editor)
    client = await installation.client(base_url=f"{scheme}://localhost")
    response = await client.post(LOGIN, json={"email": user.email, "password": PASSWORD})
    given = cookies(response)
    assert given.keys() == {"assay_access", "assay_refresh"}
    access, refresh = given["assay_access"], given["assay_refresh"]
    assert access["httponly"]
    assert refresh["httponly"]
    assert (access["samesite"], refresh["samesite"]) == ("lax", "strict")
    assert (access["path"], refresh["path"]) == ("/", "/api/v1/auth")
    assert (access["max-age"], refresh["max-age"]) == ("900", str(30 * DAY))
    assert bool(access["secure"]) is bool(refresh["secure"]) is (scheme == "https")
    body = response.json()
    assert body["access_token"] == access.value
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert (body["user"]["id"], body["user"]["role"]) == (str(user.id), "editor")
    assert refresh.value not in response.text


async def test_cookies_and_bearer_are_the_same_person(installation: Installation) -> None:
    user = await installation.row(Role.reviewer)
    client = await installation.log_in(user.email)
    token = client.cookies["assay_access"]
    bearer = await installation.client(Authorization=f"bearer {token}")
    by_cookie, by_bearer = (await client.get(ME)).json(), (await bearer.get(ME)).json()
    assert by_cookie == by_bearer
    assert by_cookie == {
        "user_id": str(user.id),
        "email": user.email,
        "name": user.name,
        "role": "reviewer",
        "scopes": None,
        "project_id": None,
        "local": False,
    }


async def test_the_case_of_an_address_and_spaces_around_it_do_not_matter(
    installation: Installation,
) -> None:
    user = await installation.row(Role.viewer)
    assert (await log_in(installation, f" {user.email.upper()} ", PASSWORD)).status_code == 200


async def test_every_refusal_looks_the_same(installation: Installation) -> None:
    user = await installation.row(Role.viewer)
    off = await installation.row(Role.viewer, is_active=False)
    without = await installation.row(Role.viewer, password_hash=None)
    answers = [
        await log_in(installation, user.email, "wrong horse battery"),
        await log_in(installation, user.email, PASSWORD.upper()),
        await log_in(installation, user.email, ""),
        await log_in(installation, "nobody@example.com", PASSWORD),
        await log_in(installation, off.email, PASSWORD),
        await log_in(installation, without.email, PASSWORD),
    ]
    bodies: list[dict[str, Any]] = [answer.json() for answer in answers]
    for answer, body in zip(answers, bodies, strict=True):
        assert answer.headers.keys() == answers[0].headers.keys()
        assert not cookies(answer)
        assert body | {"request_id": ""} == bodies[0] | {"request_id": ""}
    assert (bodies[0]["status"], bodies[0]["code"]) == (401, "login_refused")


async def test_a_sign_in_is_noted_and_nothing_of_its_secrets_is_stored(
    installation: Installation,
) -> None:
    user = await installation.row(Role.viewer)
    before = datetime.now(UTC)
    signed_in = await sign_in(installation, user.email, **{"User-Agent": "Firefox " + "x" * 400})
    async with installation.database.session() as session:
        row = await session.get_one(User, user.id)
        stored = await session.scalar(select(UserSession).where(UserSession.user_id == user.id))
        assert stored is not None
        hashes = await session.scalars(
            select(RefreshToken.hash).where(RefreshToken.session_id == stored.id)
        )
    stored_text = await installation.stored()
    assert user.email in stored_text
    for secret in (signed_in.refresh, signed_in.access, PASSWORD):
        assert secret not in stored_text
        assert secret.encode().hex() not in stored_text
    assert row.last_login_at is not None
    assert row.last_login_at >= before
    assert (stored.address, len(stored.user_agent or "")) == ("127.0.0.1", 300)
    assert [len(hash_) for hash_ in hashes] == [32]


async def test_a_password_that_is_changed_while_it_is_verified_lets_nobody_in(
    installation: Installation,
) -> None:
    user = await installation.row(Role.viewer)
    new_hash = await hash_password("another horse battery")
    async with installation.database.session() as session:
        await session.execute(update(User).where(User.id == user.id).values(password_hash=new_hash))
        # It reads the old hash, for the new one is not committed, and then waits for this row.
        attempt = asyncio.create_task(log_in(installation, user.email, PASSWORD))
        await _until_somebody_waits(installation)
    assert problem(await attempt) == (401, "login_refused")


async def _until_somebody_waits(installation: Installation, waiters: int = 1) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10):
        while True:
            async with installation.database.session() as session:
                if (await session.scalar(waiting) or 0) >= waiters:
                    return
            await asyncio.sleep(0.01)


async def test_a_hash_of_older_parameters_is_renewed(installation: Installation) -> None:
    weak = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8192),)).hash(PASSWORD)
    user = await installation.row(Role.viewer, password_hash=weak)
    await sign_in(installation, user.email)
    async with installation.database.session() as session:
        renewed = await session.scalar(select(User.password_hash).where(User.id == user.id))
    assert renewed is not None
    assert renewed.split("$")[3] != weak.split("$")[3]
    await sign_in(installation, user.email)


async def test_two_sign_ins_may_renew_a_hash_at_once(installation: Installation) -> None:
    weak = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8192),)).hash(PASSWORD)
    user = await installation.row(Role.viewer, password_hash=weak)
    async with installation.database.session() as session:
        # Both have verified against the old hash before either can write.
        await session.execute(select(User).where(User.id == user.id).with_for_update())
        attempts = [
            asyncio.create_task(log_in(installation, user.email, PASSWORD)) for _ in range(2)
        ]
        await _until_somebody_waits(installation, 2)
    assert [(await attempt).status_code for attempt in attempts] == [200, 200]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.com"},
        {"email": "no address", "password": "x"},
        {"email": "ada@example.com", "password": "x" * 201},
        {"email": "ada@example.com", "password": None},
        {"email": "ada@example.com", "password": "x", "remember": True},
        [],
    ],
)
async def test_a_sign_in_of_another_form_is_refused(admin: Person, body: Any) -> None:
    response = await admin.client.post(LOGIN, json=body)
    assert problem(response) == (422, "invalid")
    assert "x" * 201 not in response.text
