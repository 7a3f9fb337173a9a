"""Rules and queries of API keys."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import Conflict, FieldFault, Invalid, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor, Role, Scope
from assay.identity.audit.service import Change, record
from assay.identity.keys.models import ApiKey
from assay.identity.keys.schemas import KeyCreate
from assay.identity.tokens import key_hash, key_lookup, new_key
from assay.identity.users.models import User


class KeyNotFound(NotFound):
    """There is no API key with this id."""


class KeyWithoutUser(Conflict):
    """A key belongs to a user, and there are none yet: make one with `assay users create`."""


async def list_keys(
    session: AsyncSession, actor: Actor, page: Page, *, of_all: bool = False
) -> Sequence[ApiKey]:
    """A page of one's own keys, newest first; admins may ask for those of all."""
    query = select(ApiKey)
    if not (of_all and actor.role is Role.admin):
        query = query.where(ApiKey.user_id == actor.own_id)
    return await page.fetch(session, query, ApiKey.id)


async def create_key(
    session: AsyncSession,
    actor: Actor,
    new: KeyCreate,
    pepper: bytes,
    *,
    owner_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for oneself or, at the machine, for `owner_id`.

    Returns:
        The key's row, and the key itself, which is not stored.

    Raises:
        KeyWithoutUser
        Invalid: a scope is beyond the owner's role, or it would have expired already.
    """
    owner_id = owner_id or actor.own_id
    if owner_id is None:
        raise KeyWithoutUser
    # Held, so that the role is still theirs when the key is there.
    role = await session.scalar(
        select(User.role).where(User.id == owner_id).with_for_update(read=True)
    )
    faults = _faults(new, role or actor.role)
    if faults:
        raise Invalid(f"This key cannot be made: {faults[0].message}", errors=faults)
    key = new_key()
    row = ApiKey(
        user_id=owner_id,
        name=new.name,
        lookup=key_lookup(key),
        hash=key_hash(key, pepper),
        scopes=sorted(set(new.scopes)),
        project_id=new.project_id,
        expires_at=new.expires_at,
    )
    session.add(row)
    await session.flush()
    details = {"name": row.name, "scopes": row.scopes, "user_id": str(owner_id)}
    record(session, actor, Change(Topic.users, "key.created", row.id, details=details))
    return row, key


def _faults(new: KeyCreate, role: Role) -> list[FieldFault]:
    faults = [
        FieldFault("body.scopes", f"{scope} takes the role {scope.least_role}; yours is {role}")
        for scope in new.scopes
        if not role.covers(scope.least_role)
    ]
    if new.project_id is not None and (
        beyond := set(new.scopes) & {Scope.admin, Scope.metrics_read}
    ):
        listed = ", ".join(sorted(beyond))
        faults.append(FieldFault("body.project_id", f"{listed} cannot be for one project"))
    if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
        faults.append(FieldFault("body.expires_at", "lies in the past"))
    return faults


async def get_key(session: AsyncSession, actor: Actor, key_id: UUID) -> ApiKey:
    """One of one's own keys; admins see those of all.

    Raises:
        KeyNotFound
    """
    query = select(ApiKey).where(ApiKey.id == key_id)
    if actor.role is not Role.admin:
        query = query.where(ApiKey.user_id == actor.own_id)
    key = await session.scalar(query)
    if key is None:
        raise KeyNotFound
    return key


async def revoke_key(session: AsyncSession, actor: Actor, key_id: UUID) -> None:
    """Make a key useless at once, everywhere; revoking it again changes nothing.

    Raises:
        KeyNotFound
    """
    key = await get_key(session, actor, key_id)
    revoked = await session.scalar(
        update(ApiKey)
        .where(ApiKey.id == key.id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp())
        .returning(ApiKey.id)
    )
    if revoked is not None:
        details = {"name": key.name}
        record(session, actor, Change(Topic.users, "key.revoked", key.id, details=details))
