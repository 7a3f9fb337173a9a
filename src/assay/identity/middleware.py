"""Before anything else of a request is looked at: may its page ask, and who is it?"""

import re
from collections.abc import Collection
from typing import cast

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.core.config import Settings
from assay.core.errors import TooMany, Unauthorized
from assay.core.problems import answer
from assay.core.rate_limit import RateLimit
from assay.identity.actor import LOCAL_ACTOR, Actor
from assay.identity.authentication import Authenticator
from assay.identity.origin import SAFE_METHODS, require_loopback, require_own_page
from assay.identity.tokens import NotSignedIn

ACCESS_COOKIE = "assay_access"
REFRESH_COOKIE = "assay_refresh"
# An address that sends this many wrong keys or tokens a minute is guessing.
REFUSALS_PER_MINUTE = 120


class Authentication:
    """Puts the actor of a request into `request.state.actor`, or refuses the request.

    Whatever is not public takes a sign-in, also a path that there is nothing at. This stands
    before the body is read, so that nobody unknown can make the server parse anything.
    """

    def __init__(
        self, app: ASGIApp, server: FastAPI, settings: Settings, public: re.Pattern[str]
    ) -> None:
        """Wrap `app`; paths that match `public` take no sign-in."""
        self.app = app
        self._server = server
        self._public = public
        self._origins: Collection[str] = settings.cors_origins
        self._callers = RateLimit(settings.requests_per_minute)
        self._refusals = RateLimit(REFUSALS_PER_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            actor = await self._admit(scope)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong, nobody gets in
            await answer(Request(scope), error)(scope, receive, send)
            return
        if actor is not None:
            scope.setdefault("state", {})["actor"] = actor
            structlog.contextvars.bind_contextvars(user_id=actor.user_id)
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope) -> Actor | None:
        headers = Headers(scope=scope)
        if self._public.fullmatch(scope["path"]):
            if scope["method"] not in SAFE_METHODS:
                require_own_page(headers, self._origins)
            return None
        authenticator = cast("Authenticator", self._server.state.authenticator)
        peer = scope["client"][0] if scope.get("client") else None
        if not await authenticator.has_users():
            require_loopback(headers, peer)
            require_own_page(headers, self._origins)
            return LOCAL_ACTOR
        try:
            actor = await self._identify(authenticator, scope, headers)
        except Unauthorized:
            if wait := self._refusals.take(peer):
                raise TooMany("Too many wrong keys from here.", retry_after=wait) from None
            raise
        if wait := self._callers.take(actor.key_id or actor.user_id):
            raise TooMany(
                "More requests a minute than one caller may send (REQUESTS_PER_MINUTE).",
                retry_after=wait,
            )
        return actor

    async def _identify(
        self, authenticator: Authenticator, scope: Scope, headers: Headers
    ) -> Actor:
        if given := headers.get("authorization"):
            scheme, _, credentials = given.partition(" ")
            if scheme.lower() != "bearer":
                raise NotSignedIn
            return await authenticator.by_bearer(credentials.strip())
        token = cookie(headers, ACCESS_COOKIE)
        if token is None:
            raise NotSignedIn
        if scope["method"] not in SAFE_METHODS:
            require_own_page(headers, self._origins)
        return await authenticator.by_access_token(token)


def cookie(headers: Headers, name: str) -> str | None:
    """The value of a cookie of a request."""
    return cookie_parser(headers.get("cookie", "")).get(name)
