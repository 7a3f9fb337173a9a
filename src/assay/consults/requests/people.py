"""The people that requests name: found by e-mail address or id, and held against their roles."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid
from assay.identity.actor import LOCAL_USER, Actor, Role
from assay.identity.sight import Sight
from assay.identity.users.models import User

ME = "me"


class NotToBeAsked(Invalid):
    """Somebody who is named cannot answer this request."""

    code = "not_to_be_asked"


async def find_reviewers(
    session: AsyncSession,
    sight: Sight,
    named: Sequence[str],
    project_id: UUID | None,
    *,
    where: str,
) -> list[str]:
    """The ids of the users that are named, each once.

    Args:
        session: to look them up.
        sight: of whoever names them, who is `me`.
        named: e-mail addresses, ids, or `me`.
        project_id: of the request; who does not see it would never know of the request.
        where: the place of the names in what was sent, for the errors.

    Raises:
        NotToBeAsked: with the place of each who is unknown, switched off, may not answer, or
            does not see the project of the request.
    """
    own_id = sight.actor.user_id
    names = [own_id if name == ME else name.strip() for name in named]
    users = await _users(session, names)
    found: dict[str, None] = {}
    faults = []
    for number, name in enumerate(names):
        place = f"{where}[{number}]"
        if name == LOCAL_USER == own_id:
            found[name] = None
            continue
        user = users.get(name.lower())
        fault = await _fault(session, sight, user, project_id)
        if user is None or fault is not None:
            faults.append(FieldFault(place, fault or "Nobody"))
        else:
            found[str(user.id)] = None
    if faults:
        raise NotToBeAsked(errors=faults)
    return list(found)


async def _fault(
    session: AsyncSession, sight: Sight, user: User | None, project_id: UUID | None
) -> str | None:
    if user is None or not user.is_active:
        return "There is no active user with this e-mail address or id"
    if not user.role.covers(Role.reviewer):
        return f"{user.name} is a {user.role}, and viewers answer no requests"
    if project_id is None:
        return None
    sees = await _sight_of(session, sight, user)
    if not sees.sees_project(project_id):
        return f"{user.name} does not see the project that the request belongs to"
    if not sees.covers(Role.reviewer, project_id):
        return f"{user.name} is no reviewer in the project that the request belongs to"
    return None


async def _sight_of(session: AsyncSession, sight: Sight, user: User) -> Sight:
    theirs = Actor(str(user.id), user.role)
    return Sight(theirs, await sight.projects_of(session, theirs), sight.projects_of)


async def still_counts(
    session: AsyncSession, sight: Sight, user: User | None, project_id: UUID | None
) -> bool:
    """Whether an answer of this user counts: not switched off, and still a reviewer there.

    Args:
        session: to look that up.
        sight: of somebody who may answer it.
        user: who answered; `None` for whoever runs the server without signing in.
        project_id: of the request.
    """
    if user is None or str(user.id) == sight.actor.user_id:
        return True
    if not user.is_active or not user.role.covers(Role.reviewer):
        return False
    if project_id is None:
        return True
    return (await _sight_of(session, sight, user)).covers(Role.reviewer, project_id)


async def _users(session: AsyncSession, names: Iterable[str]) -> Mapping[str, User]:
    """Users by id and by e-mail address."""
    ids, addresses = set(), set()
    for name in names:
        try:
            ids.add(UUID(name))
        except ValueError:
            addresses.add(name.lower())
    if not ids and not addresses:
        return {}
    rows = await session.scalars(
        select(User).where(or_(User.id.in_(ids), func.lower(User.email).in_(addresses)))
    )
    return {key: user for user in rows for key in (str(user.id), user.email)}


async def names_of(session: AsyncSession, user_ids: Iterable[str | None]) -> Mapping[str, str]:
    """The names of users by their ids, as far as they are known."""
    ids = {UUID(each) for each in user_ids if each is not None and each != LOCAL_USER}
    if not ids:
        return {}
    rows = await session.execute(select(User.id, User.name).where(User.id.in_(ids)))
    return {str(user_id): name for user_id, name in rows}
