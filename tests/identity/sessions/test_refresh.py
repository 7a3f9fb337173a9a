"""Staying signed in: each refresh token is for once, and a copied one ends the sign-in."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import jwt
import pytest
from sqlalchemy import select, update
from tests.identity.people import Installation, Person, soon
from tests.identity.signing_in import ME, REFRESH, SignIn, problem, sign_in

from assay.core.secrets import SecretKey
from assay.identity.actor import Role
from assay.identity.audit.models import AuditEntry
from assay.identity.sessions.models import UserSession
from assay.identity.tokens import RefreshTokens


@pytest.fixture
async def signed_in(installation: Installation) -> SignIn:
    user = await installation.row(Role.editor)
    return await sign_in(installation, user.email)


async def test_a_refresh_gives_new_tokens_of_the_same_sign_in(signed_in: SignIn) -> None:
    renewed = signed_in.read(await signed_in.renew())
    assert renewed.refresh != signed_in.refresh
    assert renewed.user_id == signed_in.user_id
    assert (await renewed.me()).status_code == 200
    assert (await signed_in.me()).status_code == 200, "an access token is good until it expires"
    again = renewed.read(await renewed.renew())
    assert len({signed_in.refresh, renewed.refresh, again.refresh}) == 3


@pytest.mark.parametrize("servers", [1, 2])
async def test_two_refreshes_at_once_get_the_same_token_and_both_are_good(
    signed_in: SignIn, twin: Installation, servers: int
) -> None:
    other = twin if servers == 2 else signed_in.installation
    answers = await asyncio.gather(
        *(signed_in.renew(server) for server in (signed_in.installation, other) * 3)
    )
    renewed = [signed_in.read(answer) for answer in answers]
    assert len({each.refresh for each in renewed}) == 1
    for each in renewed:
        assert (await each.me()).status_code == 200
    assert (await renewed[0].renew()).status_code == 200


async def test_a_token_that_comes_again_within_seconds_gives_the_newest_one(
    signed_in: SignIn,
) -> None:
    renewed = signed_in.read(await signed_in.renew())
    assert signed_in.read(await signed_in.renew()).refresh == renewed.refresh
    newest = renewed.read(await renewed.renew())
    assert signed_in.read(await signed_in.renew()).refresh == newest.refresh
    assert (await newest.renew()).status_code == 200


async def test_a_token_that_comes_again_late_ends_the_sign_in(
    signed_in: SignIn, installation: Installation, twin: Installation
) -> None:
    newest = signed_in.read(await signed_in.renew())
    assert (await newest.me()).status_code == 200
    await signed_in.age(seconds=11)
    assert problem(await signed_in.renew()) == (401, "refresh_reused")
    assert problem(await newest.renew()) == (401, "refresh_refused")
    assert problem(await newest.renew(twin)) == (401, "refresh_refused")
    assert problem(await soon(newest.me, 401)) == (401, "token_refused")
    assert problem(await soon(signed_in.me, 401)) == (401, "token_refused")
    async with installation.database.session() as session:
        actions = await session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject == str(signed_in.user_id))
        )
    assert "user.refresh_token_reused" in set(actions)


async def test_only_the_sign_in_of_a_copied_token_ends(installation: Installation) -> None:
    user = await installation.row(Role.viewer)
    first, second = [await sign_in(installation, user.email) for _ in range(2)]
    await first.renew()
    await first.age(seconds=11)
    assert problem(await first.renew()) == (401, "refresh_reused")
    assert (await second.renew()).status_code == 200


async def test_a_late_token_is_refused_however_often_it_comes(signed_in: SignIn) -> None:
    await signed_in.renew()
    await signed_in.age(seconds=11)
    answers = await asyncio.gather(*(signed_in.renew() for _ in range(4)))
    codes = sorted(problem(answer) for answer in answers)
    assert codes == [(401, "refresh_refused")] * 3 + [(401, "refresh_reused")]


@pytest.mark.parametrize("token", ["", "nothing", "x" * 43, "ü" * 20, "x" * 8000])
async def test_a_token_that_nobody_gave_is_refused(installation: Installation, token: str) -> None:
    client = await installation.client()
    headers = {b"Cookie": f"assay_refresh={token}".encode()}
    assert problem(await client.post(REFRESH, headers=headers)) == (401, "refresh_refused")
    assert problem(await client.post(REFRESH)) == (401, "refresh_refused")


async def test_an_access_token_is_no_refresh_token_nor_the_other_way(signed_in: SignIn) -> None:
    swapped = SignIn(signed_in.installation, signed_in.refresh, signed_in.access, signed_in.body)
    assert problem(await swapped.renew()) == (401, "refresh_refused")
    assert problem(await swapped.me()) == (401, "token_refused")


async def test_the_next_token_cannot_be_computed_without_the_secret(signed_in: SignIn) -> None:
    renewed = signed_in.read(await signed_in.renew())
    other = RefreshTokens(_other_secret())
    assert other.next(signed_in.refresh) != renewed.refresh


def _other_secret() -> SecretKey:
    return SecretKey("another secret of 32 characters..")


async def test_who_is_switched_off_cannot_refresh(signed_in: SignIn, admin: Person) -> None:
    path = f"/api/v1/users/{signed_in.user_id}"
    assert (await admin.client.patch(path, json={"is_active": False})).status_code == 200
    assert problem(await signed_in.renew()) == (401, "refresh_refused")
    assert (await admin.client.patch(path, json={"is_active": True})).status_code == 200
    assert problem(await signed_in.renew()) == (401, "refresh_refused"), "it has ended for good"


async def test_an_expired_sign_in_cannot_refresh(
    signed_in: SignIn, installation: Installation
) -> None:
    async with installation.database.session() as session:
        await session.execute(
            update(UserSession)
            .where(UserSession.user_id == signed_in.user_id)
            .values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
    assert problem(await signed_in.renew()) == (401, "refresh_refused")


async def test_a_refresh_prolongs_the_sign_in(
    signed_in: SignIn, installation: Installation
) -> None:
    query = select(UserSession.expires_at).where(UserSession.user_id == signed_in.user_id)
    async with installation.database.session() as session:
        before = await session.scalar(query)
    await signed_in.renew()
    async with installation.database.session() as session:
        after = await session.scalar(query)
    assert before is not None
    assert after is not None
    assert after > before


class Application:
    """A client as single-page applications have it: whoever gets 401 refreshes, and asks again.

    All requests share the cookies, as in a browser; nothing keeps two from refreshing at once.
    """

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.refreshes = 0

    async def get(self, path: str) -> httpx2.Response:
        response = await self._client.get(path)
        if response.status_code == 401 and response.json()["code"] == "token_expired":
            self.refreshes += 1
            assert (await self._client.post(REFRESH)).status_code == 200
            response = await self._client.get(path)
        return response


@pytest.mark.parametrize("requests", [2, 20])
async def test_many_requests_that_find_the_token_expired_all_succeed(
    installation: Installation, requests: int
) -> None:
    user = await installation.row(Role.editor)
    client = await installation.log_in(user.email)
    _expire(installation, client)
    application = Application(client)
    answers = await asyncio.gather(*(application.get(ME) for _ in range(requests)))
    assert [answer.status_code for answer in answers] == [200] * requests
    assert application.refreshes > 1, "several refresh at once"
    assert (await client.post(REFRESH)).status_code == 200
    assert (await client.get(ME)).status_code == 200
    async with installation.database.session() as session:
        ends = await session.scalars(
            select(UserSession.revoked_at).where(UserSession.user_id == user.id)
        )
    assert list(ends) == [None]


def _expire(installation: Installation, client: httpx2.AsyncClient) -> None:
    """Let the access token in the cookies be one that has expired a second ago."""
    key = installation.app.state.authenticator.access_tokens._key
    claims = jwt.decode(client.cookies["assay_access"], key, ["HS256"], audience="assay-api")
    now = datetime.now(UTC)
    old = {"iat": now - timedelta(minutes=15), "exp": now - timedelta(seconds=1)}
    for cookie in client.cookies.jar:
        if cookie.name == "assay_access":
            cookie.value = jwt.encode(claims | old, key, "HS256")
