"""Rules and queries of users."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, case, cast, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from assay.core.errors import Conflict, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import LOCAL_USER, Actor, Role
from assay.identity.audit.service import Change, changed_fields, record
from assay.identity.passwords import hash_password
from assay.identity.sessions.models import UserSession
from assay.identity.users.models import User
from assay.identity.users.schemas import UserCreate, UserUpdate


class UserNotFound(NotFound):
    """There is no user with this id."""


class EmailTaken(Conflict):
    """There is a user with this e-mail address already."""


class LastAdmin(Conflict):
    """This is the last admin: without one, nobody could let anybody in."""


async def list_users(
    session: AsyncSession, _actor: Actor, page: Page, *, search: str = ""
) -> Sequence[User]:
    """A page of users, newest first; `search` is a part of the name or e-mail address."""
    query = select(User)
    if search:
        query = query.where(
            User.name.icontains(search, autoescape=True)
            | User.email.icontains(search, autoescape=True)
        )
    return await page.fetch(session, query, User.id)


async def create_user(session: AsyncSession, actor: Actor, new: UserCreate) -> User:
    """Make a user.

    Raises:
        EmailTaken
    """
    # Before the first query, so that no connection waits for it.
    password_hash = await hash_password(new.password.get_secret_value())
    # Two at once must not both find the address free.
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"user {new.email}"))))
    if await session.scalar(select(exists().where(User.email == new.email))):
        raise EmailTaken
    user = User(
        email=new.email, name=new.name, role=new.role, password_hash=password_hash, is_active=True
    )
    session.add(user)
    await session.flush()
    record(
        session,
        actor,
        _change("user.created", user.id, {"email": user.email, "role": user.role}),
    )
    return user


async def get_user(
    session: AsyncSession, _actor: Actor, user_id: UUID, *, for_update: bool = False
) -> User:
    """A user.

    Raises:
        UserNotFound
    """
    query = select(User).where(User.id == user_id)
    if for_update:
        query = query.with_for_update(key_share=True)
    user = await session.scalar(query)
    if user is None:
        raise UserNotFound
    return user


async def find_user(session: AsyncSession, email: str) -> User:
    """The user with an e-mail address.

    Raises:
        UserNotFound
    """
    user = await session.scalar(select(User).where(User.email == email.strip().lower()))
    if user is None:
        raise UserNotFound(f"There is no user with the e-mail address {email}.")
    return user


def user_of(user_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Whether a row of the users is the one whose id, as text, is in this column; for outer joins.

    The one person at this machine has no row.
    """
    return User.id == case((user_id != LOCAL_USER, cast(user_id, Uuid)))


async def update_user(
    session: AsyncSession, actor: Actor, user_id: UUID, changes: UserUpdate
) -> User:
    """Change the fields that were sent.

    A new password, and switching off, end all sign-ins of the user.

    Raises:
        UserNotFound
        LastAdmin: nobody would be left who may do this.
    """
    fields = changes.model_dump(exclude_unset=True)
    password = fields.pop("password", None)
    if password is not None:
        fields["password_hash"] = await hash_password(password.get_secret_value())
    if fields.get("is_active") is False or fields.get("role", Role.admin) is not Role.admin:
        await _require_other_admin(session, user_id)
    user = await get_user(session, actor, user_id, for_update=True)
    for field, value in fields.items():
        setattr(user, field, value)
    told = changed_fields(user) | ({"password": "changed"} if password is not None else {})
    await session.flush()
    if password is not None or not user.is_active:
        reason = "password changed" if password is not None else "user switched off"
        await end_sessions(session, user.id, reason)
    record(session, actor, _change("user.updated", user.id, told))
    return user


async def _require_other_admin(session: AsyncSession, user_id: UUID) -> None:
    # Locked in one order, so that two admins who remove each other do not both find the other.
    admins = await session.scalars(
        select(User.id)
        .where(User.role == Role.admin, User.is_active)
        .order_by(User.id)
        .with_for_update()
    )
    if set(admins) == {user_id}:
        raise LastAdmin


async def end_sessions(
    session: AsyncSession, user_id: UUID, reason: str, *, but: UUID | None = None
) -> None:
    """End all sign-ins of a user, except one."""
    await session.execute(
        update(UserSession)
        .where(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.id.is_distinct_from(but),
        )
        .values(revoked_at=func.clock_timestamp(), revoked_because=reason)
    )


async def has_active_admin(session: AsyncSession) -> bool:
    """Whether there is somebody who can let others in."""
    return bool(
        await session.scalar(select(exists().where(User.role == Role.admin, User.is_active)))
    )


def _change(action: str, user_id: UUID, details: dict[str, object]) -> Change:
    return Change(Topic.users, action, user_id, details=details)
