"""Answers kept by what was asked, so that an equal request need not be paid for twice."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

import orjson
import structlog
from sqlalchemy import Index, LargeBinary, String, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import DATABASE_ERRORS, Base, CreatedAt, Database, Json

log = structlog.get_logger(__name__)

Answer = Mapping[str, Any]

FIND = "SELECT key, response::text FROM gateway.response_cache WHERE key = ANY($1::bytea[])"
STORE = """
INSERT INTO gateway.response_cache (key, model, response)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::jsonb[])
ON CONFLICT (key) DO UPDATE
SET response = excluded.response, created_at = clock_timestamp()
"""


class CacheMode(StrEnum):
    """Whether answers to equal requests are taken from the cache."""

    on = "on"
    off = "off"
    refresh = "refresh"


class CachedResponse(Base):
    """A model's answer; `key` is a hash of the model, the parameters and the messages."""

    __tablename__ = "response_cache"
    __table_args__ = (Index("ix_response_cache_created_at", "created_at"), {"schema": "gateway"})

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    model: Mapped[str] = mapped_column(String(255))
    response: Mapped[Json]
    created_at: Mapped[CreatedAt]


class ResponseCache:
    """The cache of all processes on one database, as one process sees it.

    Look-ups that come while one is under way are made together, and so are writes: with many
    requests in flight they cost a statement for all. A database that is away is a cache without
    answers.

    Attributes:
        asking: the requests that `CachedModel` is at in this process, and what comes of each: an
            answer and whether it is new, or nothing where it was broken off.
    """

    def __init__(self, database: Database) -> None:
        """`database`: where the answers are."""
        self.asking: dict[bytes, asyncio.Future[tuple[Answer, bool] | None]] = {}
        self._database = database
        self._wanted: dict[bytes, asyncio.Future[Answer | None]] = {}
        self._new: list[tuple[bytes, str, str, asyncio.Future[None]]] = []
        self._reading: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    async def find(self, key: bytes) -> Answer | None:
        """The stored answer, if there is one."""
        found = self._wanted.get(key)
        if found is None:
            found = self._wanted[key] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(found)

    async def keep(self, key: bytes, model: str, answer: Answer) -> None:
        """Store an answer in place of the one before, and return when that is done."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._new.append((key, model, orjson.dumps(answer).decode(), done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await asyncio.shield(done)

    async def _read(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            answers: dict[bytes, Answer] = {}
            try:
                async with self._database.connection() as connection:
                    rows = await connection.fetch(FIND, list(wanted))
                answers = {row["key"]: orjson.loads(row["response"]) for row in rows}
            except DATABASE_ERRORS as error:
                log.warning("the cache cannot be read", error=type(error).__name__)
            finally:
                for key, found in wanted.items():
                    found.set_result(answers.get(key))

    async def _write(self) -> None:
        while self._new:
            new, self._new = self._new, []
            # In one order everywhere, or two processes would wait for each other.
            rows = {key: (model, answer) for key, model, answer, _ in new}
            keys = sorted(rows)
            models, answers = [rows[key][0] for key in keys], [rows[key][1] for key in keys]
            try:
                async with self._database.connection() as connection:
                    await connection.execute(STORE, keys, models, answers)
            except DATABASE_ERRORS as error:
                log.warning("the cache cannot be written", error=type(error).__name__)
            finally:
                for *_, done in new:
                    done.set_result(None)


async def remove_old(session: AsyncSession, *, days: float, limit: int) -> int:
    """Remove up to `limit` answers older than `days`; gives their number."""
    old = (
        select(CachedResponse.key)
        .where(CachedResponse.created_at < func.clock_timestamp() - timedelta(days=days))
        .order_by(CachedResponse.created_at)
        .limit(limit)
    )
    removed = await session.scalars(
        delete(CachedResponse).where(CachedResponse.key.in_(old)).returning(CachedResponse.key)
    )
    return len(removed.all())
