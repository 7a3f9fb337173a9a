"""A run that is asked for again, with the same Idempotency-Key, is not made again."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid
from assay.core.idempotency import Once
from assay.identity.actor import Actor
from assay.playground.runs.models import EvalRun


class IdempotencyKeyReused(Invalid):
    """The Idempotency-Key was used for another request before; take a new one."""

    code = "idempotency_key_reused"


async def find_earlier(session: AsyncSession, actor: Actor, once: Once | None) -> EvalRun | None:
    """The run that this request has made already, by the same caller.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    if once is None:
        return None
    await once.take_turns(session, "eval-run", actor.user_id)
    run = await session.scalar(
        select(EvalRun).where(
            EvalRun.created_by == actor.user_id, EvalRun.idempotency_key == once.key
        )
    )
    if run is not None and run.request_hash != once.digest:
        place = FieldFault("header.Idempotency-Key", f"it made the run {run.id} of another request")
        raise IdempotencyKeyReused(errors=[place])
    return run


def mark(run: EvalRun, once: Once | None) -> None:
    """Note with a new run which request has made it."""
    if once is not None:
        run.idempotency_key, run.request_hash = once.key, once.digest
