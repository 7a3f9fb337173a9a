"""Endpoints of signing in."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from assay.core.database import Database, Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.identity.access import Person, SignedIn, public
from assay.identity.authentication import Authenticator
from assay.identity.login_limits import TooManyAttempts
from assay.identity.middleware import ACCESS_COOKIE, REFRESH_COOKIE
from assay.identity.sessions import service
from assay.identity.sessions.schemas import Login, Me, PasswordChange, SessionRead
from assay.identity.sessions.schemas import SignedIn as SignedInRead
from assay.identity.sessions.service import (
    Device,
    LoginRefused,
    NobodySignsIn,
    RefreshRefused,
    RefreshReused,
    SessionNotFound,
    Tokens,
)
from assay.identity.tokens import ACCESS_LIFETIME, REFRESH_LIFETIME
from assay.identity.users.schemas import UserRead

PATH = "/auth"
router = APIRouter(prefix=PATH, tags=["auth"])


def _database(request: Request) -> Database:
    return cast("Database", request.app.state.database)


def _authenticator(request: Request) -> Authenticator:
    return cast("Authenticator", request.app.state.authenticator)


# These open sessions of their own, see the service.
Base = Annotated[Database, Depends(_database)]
Authentic = Annotated[Authenticator, Depends(_authenticator)]


@router.post(
    "/login",
    response_model=SignedInRead,
    responses=problems(Invalid, LoginRefused, TooManyAttempts),
    dependencies=[public],
)
async def log_in(
    request: Request, response: Response, database: Base, authenticator: Authentic, login: Login
) -> SignedInRead:
    """Sign in; the tokens come as HttpOnly cookies, the access token in the body as well."""
    tokens = await service.log_in(
        database,
        authenticator,
        login.email,
        login.password.get_secret_value(),
        Device(request.client.host if request.client else None, request.headers.get("user-agent")),
    )
    return _signed_in(request, response, tokens)


@router.post(
    "/refresh",
    response_model=SignedInRead,
    responses=problems(RefreshRefused, RefreshReused),
    dependencies=[public],
)
async def refresh(
    request: Request, response: Response, database: Base, authenticator: Authentic
) -> SignedInRead:
    """Change the refresh token of the cookie for the next one and a fresh access token."""
    token = request.cookies.get(REFRESH_COOKIE)
    if token is None:
        raise RefreshRefused
    return _signed_in(request, response, await service.refresh(database, authenticator, token))


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT, dependencies=[public])
async def log_out(
    request: Request, response: Response, database: Base, authenticator: Authentic
) -> None:
    """End this sign-in and take the cookies back; without one there is nothing to do."""
    bearer = request.headers.get("authorization", "").partition(" ")[2].strip()
    access = bearer or request.cookies.get(ACCESS_COOKIE)
    await service.log_out(database, authenticator, access, request.cookies.get(REFRESH_COOKIE))
    response.delete_cookie(ACCESS_COOKIE, path="/")
    response.delete_cookie(REFRESH_COOKIE, path=_refresh_path(request))


@router.get("/me", response_model=Me)
async def get_me(session: Session, actor: SignedIn) -> Me:
    """Read who you are, and what you may do."""
    return await service.describe(session, actor)


@router.put(
    "/password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(Invalid, LoginRefused, TooManyAttempts, NobodySignsIn),
)
async def change_password(database: Base, actor: Person, change: PasswordChange) -> None:
    """Give yourself a new password; your other sign-ins end."""
    await service.change_password(database, actor, change)


@router.get("/sessions", response_model=list[SessionRead], responses=problems(Invalid))
async def list_sessions(session: Session, actor: Person, page: Paging) -> Sequence[SessionRead]:
    """List where you are signed in, newest first."""
    return await service.list_sessions(session, actor, page)


@router.delete(
    "/sessions/{session_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(Invalid, SessionNotFound),
)
async def end_session(session: Session, actor: Person, session_id: UUID) -> None:
    """End one of your sign-ins."""
    await service.end_session(session, actor, session_id)


def _signed_in(request: Request, response: Response, tokens: Tokens) -> SignedInRead:
    secure = request.url.scheme == "https"
    response.set_cookie(
        ACCESS_COOKIE,
        tokens.access,
        max_age=int(ACCESS_LIFETIME.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    response.set_cookie(
        REFRESH_COOKIE,
        tokens.refresh,
        max_age=int(REFRESH_LIFETIME.total_seconds()),
        path=_refresh_path(request),
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    return SignedInRead(
        access_token=tokens.access,
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
        user=UserRead.model_validate(tokens.user),
    )


def _refresh_path(request: Request) -> str:
    """Where the refresh token is needed, and nowhere else."""
    return request.url.path.rpartition("/")[0]
