"""A request that is sent again has its effect once: the header Idempotency-Key.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.text import Text

IdempotencyKey = Annotated[
    Text | None,
    Header(
        min_length=1,
        max_length=255,
        description="The same key with the same body gives what it made the first time",
    ),
]


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

    async def take_turns(self, session: AsyncSession, kind: str, user_id: str) -> None:
        """Wait until no other transaction is at the same request of this user.

        Of any number of them at the same time the first has the effect, and the others find it.
        """
        lock = func.hashtextextended(f"{kind} {user_id} {self.key}", 0)
        await session.execute(select(func.pg_advisory_xact_lock(lock)))
