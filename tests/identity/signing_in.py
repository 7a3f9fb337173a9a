"""Sign in step by step, with a look at the tokens in between."""

from dataclasses import dataclass
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import select, update
from tests.identity.people import PASSWORD, Installation

from assay.identity.sessions.models import RefreshToken, UserSession

LOGIN, REFRESH, ME = "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/me"


def cookies(response: httpx2.Response) -> dict[str, "Morsel[str]"]:
    """The cookies that an answer sets, with their attributes."""
    jar: SimpleCookie = SimpleCookie()
    for header in response.headers.get_list("set-cookie"):
        jar.load(header)
    return dict(jar)


def problem(response: httpx2.Response) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return response.status_code, response.json()["code"]


@dataclass(frozen=True)
class SignIn:
    """What a sign-in gave; each request is sent alone, with nothing but what it is given."""

    installation: Installation
    access: str
    refresh: str
    body: dict[str, Any]

    @property
    def user_id(self) -> UUID:
        return UUID(self.body["user"]["id"])

    async def me(self) -> httpx2.Response:
        client = await self.installation.client(Authorization=f"Bearer {self.access}")
        return await client.get(ME)

    async def renew(self, installation: Installation | None = None) -> httpx2.Response:
        """The answer to a refresh, of any server on the same database."""
        client = await (installation or self.installation).client()
        return await client.post(REFRESH, headers={"Cookie": f"assay_refresh={self.refresh}"})

    def read(self, response: httpx2.Response) -> "SignIn":
        """The sign-in after a refresh."""
        return read(self.installation, response)

    async def age(self, seconds: float) -> None:
        """Let it be so long since each refresh token of this user's sign-ins was used."""
        mine = select(UserSession.id).where(UserSession.user_id == self.user_id)
        async with self.installation.database.session() as session:
            await session.execute(
                update(RefreshToken)
                .where(RefreshToken.used_at.is_not(None), RefreshToken.session_id.in_(mine))
                .values(used_at=RefreshToken.used_at - timedelta(seconds=seconds))
            )


def read(installation: Installation, response: httpx2.Response) -> SignIn:
    assert response.status_code == 200, response.text
    given = cookies(response)
    body = response.json()
    return SignIn(installation, given["assay_access"].value, given["assay_refresh"].value, body)


async def sign_in(
    installation: Installation, email: str, password: str = PASSWORD, **headers: str
) -> SignIn:
    client = await installation.client(**headers)
    response = await client.post(LOGIN, json={"email": email, "password": password})
    return read(installation, response)
