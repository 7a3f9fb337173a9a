"""Sign in, stay signed in, sign out.

These functions take the database and open short sessions of their own: what they write has to
stay also where the answer is a refusal (an attempt that counts, a family that is revoked), and
no connection is held while a password is hashed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database
from assay.core.errors import Conflict, NotFound, Unauthorized
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, record
from assay.identity.authentication import Authenticator
from assay.identity.login_limits import TooManyAttempts, count_attempt, forgive
from assay.identity.passwords import hash_password, verify_password
from assay.identity.sessions.models import LoginLimit, RefreshToken, UserSession
from assay.identity.sessions.schemas import Me, PasswordChange, SessionRead
from assay.identity.tokens import REFRESH_LIFETIME, AccessClaims, refresh_hash
from assay.identity.users.models import User
from assay.identity.users.service import end_sessions

log = structlog.get_logger(__name__)

# Two tabs that refresh at once, or an answer that got lost, are no theft.
GRACE = timedelta(seconds=10)


class LoginRefused(Unauthorized):
    """E-mail address and password do not belong together, or the user is switched off."""

    code = "login_refused"


class RefreshRefused(Unauthorized):
    """The sign-in has ended or expired; sign in again."""

    code = "refresh_refused"


class RefreshReused(RefreshRefused):
    """This refresh token was used before, so somebody may have copied it; sign in again."""

    code = "refresh_reused"


class NobodySignsIn(Conflict):
    """There are no users here yet: one person has this machine. `assay users create` makes one."""


class SessionNotFound(NotFound):
    """You have no sign-in with this id."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request comes from."""

    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in gives: the user and both tokens."""

    user: User
    access: str
    refresh: str


async def log_in(
    database: Database,
    authenticator: Authenticator,
    email: str,
    password: str,
    device: Device,
) -> Tokens:
    """Begin a sign-in.

    Raises:
        LoginRefused: for whatever reason, it takes equally long.
        TooManyAttempts: of this account or from this address.
    """
    async with database.session() as session:
        wait = await count_attempt(session, email, device.address)
    if wait is not None:
        raise TooManyAttempts(retry_after=wait)
    while True:
        verified, renewed = await _verify(database, email, password, device)
        async with database.session() as session:
            user = await _hold_verified(session, verified)
            if user is not None:
                await forgive(session, email, device.address)
                user.password_hash = renewed or user.password_hash
                return await _begin(session, authenticator, user, device)


async def _verify(
    database: Database, email: str, password: str, device: Device
) -> tuple[User, str | None]:
    """The user whose password this is, and a new hash where the stored one is out of date."""
    async with database.session() as session:
        user = await session.scalar(select(User).where(User.email == email))
    right, renewed = await verify_password(password, user.password_hash if user else None)
    if user is None or not right or not user.is_active:
        log.info("sign-in refused", address=device.address)
        raise LoginRefused
    return user, renewed


async def _hold_verified(session: AsyncSession, verified: User) -> User | None:
    """The user, if all is as it was when we verified.

    They may have been switched off or got a new password meanwhile, and whoever came with the old
    one is not let in any more; or another sign-in has renewed the hash of the same password.
    """
    return await session.scalar(
        select(User)
        .where(User.id == verified.id, User.is_active, User.password_hash == verified.password_hash)
        .with_for_update(key_share=True)
    )


async def _begin(
    session: AsyncSession, authenticator: Authenticator, user: User, device: Device
) -> Tokens:
    user.last_login_at = datetime.now(UTC)
    signed_in = UserSession(
        user_id=user.id,
        user_agent=device.user_agent[:300] if device.user_agent else None,
        address=device.address,
        expires_at=datetime.now(UTC) + REFRESH_LIFETIME,
    )
    session.add(signed_in)
    await session.flush()
    refresh = authenticator.refresh_tokens.first()
    session.add(RefreshToken(hash=refresh_hash(refresh), session_id=signed_in.id))
    details = {"address": device.address}
    actor = Actor(str(user.id), user.role, session_id=signed_in.id)
    record(session, actor, Change(Topic.users, "user.signed_in", user.id, details=details))
    return _tokens(authenticator, user, signed_in.id, refresh)


def _tokens(authenticator: Authenticator, user: User, session_id: UUID, refresh: str) -> Tokens:
    claims = AccessClaims(user.id, session_id)
    return Tokens(user, authenticator.access_tokens.sign(claims), refresh)


async def refresh(database: Database, authenticator: Authenticator, token: str) -> Tokens:
    """Change a refresh token for the next one and a fresh access token.

    One that was changed within the last seconds gives the same next one again. After that it
    can only have been copied, by the one who sends it or by the one who sent it first: the
    whole sign-in ends.

    Raises:
        RefreshRefused, RefreshReused
    """
    async with database.session() as session:
        found = await session.scalar(
            select(RefreshToken.session_id).where(RefreshToken.hash == refresh_hash(token))
        )
        if found is None:
            raise RefreshRefused
        signed_in, user = await _hold(session, found)
        newest = await _follow(session, authenticator, token)
        if newest is None:
            signed_in.revoked_at = datetime.now(UTC)
            signed_in.revoked_because = "a refresh token was used twice"
            actor = Actor(str(user.id), user.role, session_id=signed_in.id)
            reused = Change(Topic.users, "user.refresh_token_reused", user.id)
            record(session, actor, reused)
        else:
            signed_in.last_used_at = datetime.now(UTC)
            signed_in.expires_at = datetime.now(UTC) + REFRESH_LIFETIME
    if newest is None:
        log.warning("refresh token used twice, sign-in ended", user_id=str(user.id))
        raise RefreshReused
    return _tokens(authenticator, user, signed_in.id, newest)


async def _hold(session: AsyncSession, session_id: UUID) -> tuple[UserSession, User]:
    """The sign-in and its user, one request at a time."""
    row = (
        await session.execute(
            select(UserSession, User)
            .join(User, User.id == UserSession.user_id)
            .where(
                UserSession.id == session_id,
                UserSession.revoked_at.is_(None),
                UserSession.expires_at > func.clock_timestamp(),
                User.is_active,
            )
            .with_for_update(of=UserSession)
        )
    ).one_or_none()
    if row is None:
        raise RefreshRefused
    return row[0], row[1]


async def _follow(session: AsyncSession, authenticator: Authenticator, token: str) -> str | None:
    """The token that follows; `None` where `token` was used too long ago."""
    while True:
        stored = await session.get(RefreshToken, refresh_hash(token))
        if stored is None:
            raise RefreshRefused
        following = authenticator.refresh_tokens.next(token)
        now = datetime.now(UTC)
        if stored.used_at is None:
            stored.used_at = now
            session.add(RefreshToken(hash=refresh_hash(following), session_id=stored.session_id))
            return following
        if now - stored.used_at > GRACE:
            return None
        next_stored = await session.get(RefreshToken, refresh_hash(following))
        if next_stored is None or next_stored.used_at is None:
            return following
        token = following


async def log_out(
    database: Database, authenticator: Authenticator, access: str | None, refresh_token: str | None
) -> None:
    """End the sign-in of either token; without a valid one there is nothing to end."""
    async with database.session() as session:
        session_id = None
        if refresh_token is not None:
            session_id = await session.scalar(
                select(RefreshToken.session_id).where(
                    RefreshToken.hash == refresh_hash(refresh_token)
                )
            )
        if session_id is None and access is not None:
            try:
                session_id = authenticator.access_tokens.read(access).session_id
            except Unauthorized:
                return
        if session_id is not None:
            await _end(session, session_id, "signed out")


async def _end(session: AsyncSession, session_id: UUID, reason: str) -> None:
    await session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp(), revoked_because=reason)
    )


async def change_password(database: Database, actor: Actor, change: PasswordChange) -> None:
    """Give oneself a new password; all other sign-ins of the user end.

    Raises:
        LoginRefused: the current one is not right.
        TooManyAttempts, NobodySignsIn
    """
    async with database.session() as session:
        user = await session.scalar(select(User).where(User.id == actor.own_id))
        if user is None:
            raise NobodySignsIn
        wait = await count_attempt(session, user.email, None)
    if wait is not None:
        raise TooManyAttempts(retry_after=wait)
    right, _ = await verify_password(change.current.get_secret_value(), user.password_hash)
    if not right:
        raise LoginRefused("The current password is not right.")
    new_hash = await hash_password(change.new.get_secret_value())
    async with database.session() as session:
        held = await _hold_verified(session, user)
        if held is None:
            raise LoginRefused
        await forgive(session, user.email, None)
        held.password_hash = new_hash
        await end_sessions(session, user.id, "password changed", but=actor.session_id)
        record(session, actor, Change(Topic.users, "user.password_changed", user.id))


async def describe(session: AsyncSession, actor: Actor) -> Me:
    """Who an actor is."""
    user = await session.get(User, actor.own_id) if actor.own_id is not None else None
    return Me(
        user_id=actor.user_id,
        email=user.email if user else None,
        name=user.name if user else None,
        role=actor.role,
        scopes=sorted(actor.scopes) if actor.scopes is not None else None,
        project_id=actor.project_id,
        local=user is None,
    )


async def list_sessions(session: AsyncSession, actor: Actor, page: Page) -> list[SessionRead]:
    """A page of one's own sign-ins that have not ended, newest first."""
    query = select(UserSession).where(
        UserSession.user_id == actor.own_id,
        UserSession.revoked_at.is_(None),
        UserSession.expires_at > func.clock_timestamp(),
    )
    return [
        SessionRead.model_validate(row).model_copy(update={"current": row.id == actor.session_id})
        for row in await page.fetch(session, query, UserSession.id)
    ]


async def remove_ended(session: AsyncSession, *, limit: int) -> int:
    """Remove up to `limit` sign-ins that expired, and allowances that are whole again.

    One that was revoked stays until it would have expired, so that its tokens are known.
    """
    over = select(UserSession.id).where(UserSession.expires_at < func.clock_timestamp())
    sessions = delete(UserSession).where(UserSession.id.in_(over.limit(limit)))
    whole = select(LoginLimit.subject).where(LoginLimit.due < func.clock_timestamp())
    limits = delete(LoginLimit).where(LoginLimit.subject.in_(whole.limit(limit)))
    removed = [
        *await session.scalars(sessions.returning(UserSession.id)),
        *await session.scalars(limits.returning(LoginLimit.subject)),
    ]
    return len(removed)


async def end_session(session: AsyncSession, actor: Actor, session_id: UUID) -> None:
    """End one of one's own sign-ins.

    Raises:
        SessionNotFound
    """
    query = select(UserSession.id).where(
        UserSession.id == session_id,
        UserSession.user_id == actor.own_id,
        UserSession.revoked_at.is_(None),
    )
    if await session.scalar(query) is None:
        raise SessionNotFound
    await _end(session, session_id, "ended by its user")
