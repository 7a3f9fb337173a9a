"""Write events, read them again, and remove old ones."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.events.models import Event, Topic


def publish(
    session: AsyncSession,
    topic: Topic,
    event_type: str,
    data: Mapping[str, Any],
    *,
    subject: UUID | str | None = None,
    project_id: UUID | None = None,
    user_id: str | None = None,
) -> None:
    """Write an event in the transaction of the change that it tells of.

    Args:
        session: the session of the change.
        topic: what it is about.
        event_type: what happened, as `run.completed`.
        data: what readers are told; small, and nothing secret.
        subject: the id of what has changed.
        project_id: the project whose people may see it.
        user_id: somebody who may see it as well.
    """
    session.add(
        Event(
            type=event_type,
            topic=topic,
            subject=str(subject) if subject is not None else None,
            project_id=project_id,
            user_id=user_id,
            data=dict(data),
        )
    )


async def last_position(session: AsyncSession) -> int:
    """The position of the newest event; 0 where there is none."""
    return await session.scalar(select(func.max(Event.position))) or 0


async def first_position(session: AsyncSession) -> int | None:
    """The position of the oldest event that is kept."""
    return await session.scalar(select(func.min(Event.position)))


async def read_after(
    session: AsyncSession, position: int, *, limit: int, until: int | None = None
) -> Sequence[Event]:
    """Events behind `position`, up to and with `until`, in order, `limit` at most."""
    statement = select(Event).where(Event.position > position)
    if until is not None:
        statement = statement.where(Event.position <= until)
    return (await session.scalars(statement.order_by(Event.position).limit(limit))).all()


async def remove_old(session: AsyncSession, *, hours: float, limit: int) -> int:
    """Remove up to `limit` events older than `hours`, but not the newest; gives their number.

    They go in the order of their positions up to the first that stays, so that what is kept has
    no hole: an event of a long transaction can be older than those before it.
    """
    young = Event.created_at >= func.clock_timestamp() - timedelta(hours=hours)
    first_young = select(func.min(Event.position)).where(young).scalar_subquery()
    newest = select(func.max(Event.position)).scalar_subquery()
    old = (
        select(Event.id)
        .where(Event.position < func.least(first_young, newest))
        .order_by(Event.position)
        .limit(limit)
    )
    removed = await session.execute(delete(Event).where(Event.id.in_(old)).returning(Event.id))
    return len(removed.all())
