"""How often tags are used, kept in step with the messages that carry them.

Counts of an owner's app are changed by one transaction at a time: it takes its turn before it
looks at a message or locks anything, and holds it until its commit. So no renaming misses a
message, and nobody waits in a circle (`apps.turns`).
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Integer, Text, cast, func, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.tags.models import Tag
from assay.identity.actor import Actor


async def count_up(
    session: AsyncSession, actor: Actor, app_id: str, names: Collection[str]
) -> None:
    """Count each of these tags once more; those that are not known yet are made."""
    if not names:
        return
    new = insert(Tag).values(
        [
            {"app_id": app_id, "name": name, "user_id": actor.user_id, "count": 1}
            for name in sorted(names)
        ]
    )
    statement = new.on_conflict_do_update(
        index_elements=[Tag.app_id, Tag.name, Tag.user_id],
        set_={"count": Tag.count + 1, "last_used": func.clock_timestamp()},
    )
    await session.execute(statement)


async def count_down(
    session: AsyncSession, actor: Actor, app_id: str, used: Mapping[str, int]
) -> None:
    """Count tags for less, each by its number, and never below 0."""
    if not used:
        return
    gone = (
        func.unnest(cast(list(used), ARRAY(Text)), cast(list(used.values()), ARRAY(Integer)))
        .table_valued("name", "number", name="gone")
        .render_derived()
    )
    statement = (
        update(Tag)
        .where(owned(actor, Tag.user_id), Tag.app_id == app_id, Tag.name == gone.c.name)
        .values(count=func.greatest(Tag.count - gone.c.number, 0))
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)
