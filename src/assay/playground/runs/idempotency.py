"""A request that is sent again makes no second run: the header Idempotency-Key.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
from dataclasses import dataclass

import orjson
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid
from assay.identity.actor import Actor
from assay.playground.runs.models import EvalRun


class IdempotencyKeyReused(Invalid):
    """The Idempotency-Key was used for another request before; take a new one."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to have its effect once: the caller's key, and what is asked for."""

    key: str
    digest: bytes

    @classmethod
    def of(cls, key: str | None, operation: str, body: BaseModel) -> "Once | None":
        """Of a request to `operation`; none where the caller gave no key."""
        if key is None:
            return None
        content = [operation, body.model_dump(mode="json")]
        return cls(key, hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest())


async def find_earlier(session: AsyncSession, actor: Actor, once: Once | None) -> EvalRun | None:
    """The run that this request has made already, by the same caller.

    Others with the same key wait here until this transaction has ended, so that of any number
    of them at the same time the first makes the run and all get it.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    if once is None:
        return None
    lock = func.hashtextextended(f"eval-run {actor.user_id} {once.key}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(lock)))
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
