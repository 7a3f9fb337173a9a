"""Writers of one owner's app who have to come one after the other."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Base
from assay.identity.actor import Actor


async def take_turns(session: AsyncSession, actor: Actor, table: type[Base], app_id: str) -> None:
    """Wait until nobody else who takes turns writes what `table` has of this app and owner.

    The turn lasts until the transaction ends.
    """
    key = f"apps.{table.__tablename__} {actor.user_id} {app_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
