"""Tell of changes in this room: to the audit, and to their owner alone on the feed."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay.events.models import Topic
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, record


def tell(
    session: AsyncSession, actor: Actor, action: str, subject: UUID | str, **details: object
) -> None:
    """Record a change to something of the actor's, in the transaction of the change.

    Args:
        session: the session of the change.
        actor: whose it is, and who changed it.
        action: what was done, as `evaluator.created`.
        subject: the id of the thing, or its name where it has none.
        details: what else readers of the audit and the owner are told; nothing secret.
    """
    change = Change(Topic.apps, action, subject, details=details, owner_id=actor.user_id)
    record(session, actor, change)
