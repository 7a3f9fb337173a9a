"""From what a request carries to its actor; answers come from memory while that is safe."""

import hmac
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database
from assay.core.listening import Listener
from assay.core.secrets import SecretKey
from assay.identity.actor import Actor, Scope, included
from assay.identity.keys.models import ApiKey, OwnSecret
from assay.identity.sessions.models import UserSession
from assay.identity.tokens import (
    KEY_PREFIX,
    AccessClaims,
    AccessTokens,
    KeyRefused,
    RefreshTokens,
    TokenRefused,
    key_hash,
    key_lookup,
    new_key,
)
from assay.identity.users.models import User

CHANNEL = "assay_identity"
"""Notified by the database when users, keys or sign-ins change what somebody may do."""

# How long an answer is kept at most; a change drops all of them at once.
KEPT_SECONDS = 60.0
KEPT_AT_MOST = 10_000
USED_EVERY = timedelta(minutes=1)
_PEPPER = "api keys"


@dataclass(frozen=True, slots=True)
class _Known:
    actor: Actor
    until: float
    key_hash: bytes = b""


class Authenticator:
    """Knows who a token or key belongs to, for one process.

    What was looked up is kept in memory only while the database can tell of changes: a key that
    is revoked anywhere is refused here as soon as that is committed and notified.

    Attributes:
        version: goes up whenever something may have changed; who remembers what an actor may
            do compares it.
    """

    def __init__(self, database: Database, secret: SecretKey, listener: Listener | None) -> None:
        """Look up in `database`; without a `listener` nothing is remembered."""
        self.access_tokens = AccessTokens(secret)
        self.refresh_tokens = RefreshTokens(secret)
        self.version = 0
        self._database = database
        self._secret = secret
        self._listener = listener
        self._pepper: bytes | None = None
        self._known: dict[Hashable, _Known] = {}
        self._has_users: bool | None = None
        if listener is not None:
            listener.on(CHANNEL, self._forget)

    def _forget(self) -> None:
        self.version += 1
        self._known.clear()
        self._has_users = None

    @property
    def _may_remember(self) -> bool:
        return self._listener is not None and self._listener.connected

    async def has_users(self) -> bool:
        """Whether anybody could sign in: until then, one person has the machine to themselves."""
        if self._has_users is None or not self._may_remember:
            version = self.version
            async with self._database.session() as session:
                found = bool(await session.scalar(select(exists().select_from(User))))
            if version != self.version:
                return found
            self._has_users = found
        return self._has_users

    async def by_bearer(self, credentials: str) -> Actor:
        """The actor of an API key or an access token.

        Raises:
            Unauthorized: it is not valid, or not any more.
        """
        if credentials.startswith(KEY_PREFIX):
            return await self.by_key(credentials)
        return await self.by_access_token(credentials)

    async def by_access_token(self, token: str) -> Actor:
        """The actor of an access token; its sign-in must not have been ended.

        Raises:
            Unauthorized
        """
        claims = self.access_tokens.read(token)
        known = await self._look_up(claims, lambda s: self._find_session(s, claims))
        if known is None:
            raise TokenRefused
        return known.actor

    async def by_key(self, key: str) -> Actor:
        """The actor of an API key: its owner, within the key's scopes.

        Raises:
            Unauthorized
        """
        lookup = key_lookup(key)
        given = key_hash(key, await self._loaded_pepper())
        known = await self._look_up(
            lookup, lambda s: self._find_key(s, ApiKey.lookup == lookup, given)
        )
        # Unknown keys are compared too, and nothing stops at the first byte that differs.
        if not hmac.compare_digest(given, known.key_hash if known else bytes(len(given))):
            raise KeyRefused
        assert known is not None
        return known.actor

    async def again(self, actor: Actor) -> Actor | None:
        """The actor as they are now; `None` where what they came with is not valid any more."""
        if actor.key_id is not None:
            key_id = actor.key_id
            known = await self._look_up(key_id, lambda s: self._find_key(s, ApiKey.id == key_id))
        elif actor.session_id is not None:
            claims = AccessClaims(UUID(actor.user_id), actor.session_id)
            known = await self._look_up(claims, lambda s: self._find_session(s, claims))
        else:
            return None if await self.has_users() else actor
        return known.actor if known is not None else None

    async def pepper(self, session: AsyncSession) -> bytes:
        """The secret under which keys are hashed; made with the first one."""
        fresh = self._secret.seal(new_key())
        await session.execute(
            insert(OwnSecret).values(name=_PEPPER, value=fresh).on_conflict_do_nothing()
        )
        sealed = await session.scalar(select(OwnSecret.value).where(OwnSecret.name == _PEPPER))
        return self._secret.open(cast("bytes", sealed)).encode()

    async def _loaded_pepper(self) -> bytes:
        if self._pepper is None:
            async with self._database.session() as session:
                self._pepper = await self.pepper(session)
        return self._pepper

    async def _look_up(
        self, name: Hashable, find: Callable[[AsyncSession], Awaitable[_Known | None]]
    ) -> _Known | None:
        known = self._known.get(name)
        if known is not None and known.until > time.time() and self._may_remember:
            return known
        version = self.version
        async with self._database.session() as session:
            known = await find(session)
        # What changed while we asked may not be in the answer.
        if known is not None and version == self.version:
            if len(self._known) >= KEPT_AT_MOST:
                self._known.clear()
            self._known[name] = known
        return known

    async def _find_session(self, session: AsyncSession, claims: AccessClaims) -> _Known | None:
        row = (
            await session.execute(
                select(User.role, UserSession.expires_at)
                .join(User, User.id == UserSession.user_id)
                .where(
                    UserSession.id == claims.session_id,
                    User.id == claims.user_id,
                    User.is_active,
                    UserSession.revoked_at.is_(None),
                    UserSession.expires_at > func.clock_timestamp(),
                )
            )
        ).one_or_none()
        if row is None:
            return None
        actor = Actor(str(claims.user_id), row.role, session_id=claims.session_id)
        return _Known(actor, _until(row.expires_at))

    async def _find_key(
        self, session: AsyncSession, mine: ColumnElement[bool], given: bytes | None = None
    ) -> _Known | None:
        row = (
            await session.execute(
                select(ApiKey, User.role)
                .join(User, User.id == ApiKey.user_id)
                .where(
                    mine,
                    ApiKey.revoked_at.is_(None),
                    or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.clock_timestamp()),
                    User.is_active,
                )
            )
        ).one_or_none()
        if row is None:
            return None
        key, role = row
        if given is None or hmac.compare_digest(given, key.hash):
            await _note_use(session, key)
        actor = Actor(
            str(key.user_id),
            role,
            scopes=included([Scope(scope) for scope in key.scopes]),
            project_id=key.project_id,
            key_id=key.id,
        )
        return _Known(actor, _until(key.expires_at), key.hash)


def _until(expires_at: datetime | None) -> float:
    latest = time.time() + KEPT_SECONDS
    return min(latest, expires_at.timestamp()) if expires_at is not None else latest


async def _note_use(session: AsyncSession, key: ApiKey) -> None:
    if key.last_used_at is not None and datetime.now(UTC) - key.last_used_at < USED_EVERY:
        return
    # One that somebody else notes in this moment need not be noted again, nor waited for.
    free = select(ApiKey.id).where(ApiKey.id == key.id).with_for_update(skip_locked=True)
    await session.execute(
        update(ApiKey)
        .where(ApiKey.id.in_(free))
        .values(last_used_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
