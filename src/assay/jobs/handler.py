"""What a room writes to do background work: a handler for its type of job."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database
from assay.identity.actor import Actor
from assay.jobs import service


class HandBack(Exception):  # a signal, not an error
    """Raised by a handler that does not go on with the job now; a worker takes it up again.

    It was asked to stop, or it has no room for the job: then `delay` says when to try again.
    """

    def __init__(self, delay: timedelta = timedelta()) -> None:
        """Let any worker take the job after `delay`."""
        super().__init__()
        self.delay = delay


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job in the hands of this worker.

    `stopping` is set when the worker shuts down: bring what is in hand to an end, store it,
    and raise `HandBack`.
    """

    id: UUID
    job_type: str
    params: Mapping[str, Any]
    attempt: int
    parent_id: UUID | None
    actor: Actor
    database: Database
    stopping: asyncio.Event

    async def hold(self, session: AsyncSession) -> None:
        """Fence a write: raises `LostJob` unless this attempt still has the job."""
        await service.hold(session, self.id, self.attempt)

    async def complete(
        self, session: AsyncSession, result: Mapping[str, Any] | None = None
    ) -> None:
        """End the job in the transaction of its last write; raises `LostJob` like `hold`."""
        await service.complete(session, self.id, self.attempt, result)


@dataclass(frozen=True, slots=True)
class JobHandler:
    """How jobs of one type are done.

    `run` does the job; it may be started again after any point, so it looks at what is
    stored first. It either calls `complete` with its last write or just returns.
    `on_failure` writes, in the same transaction, what the failure means for the room.
    `ready` says whether this worker has room for one more; while not, others take them.
    `params` is the shape of the parameters where people may start such jobs by themselves;
    where it is `None`, only Assay does.
    """

    run: Callable[[RunningJob], Awaitable[None]]
    on_failure: Callable[[AsyncSession, RunningJob, str], Awaitable[None]]
    ready: Callable[[], bool] = lambda: True
    params: type[BaseModel] | None = None
