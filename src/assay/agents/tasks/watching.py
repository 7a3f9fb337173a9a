"""Watches over the tasks that this worker has in hand: for all of them, one question at a time."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import select

from assay.agents.tasks.models import Task, TaskStatus
from assay.core.database import DATABASE_ERRORS, Database
from assay.jobs.handler import RunningJob
from assay.jobs.models import Job

log = structlog.get_logger(__name__)

# A cancelled task has to stop within two seconds.
LOOK_EVERY = 0.5


class Watch:
    """Tells when a task is not to be worked on here any more: cancelled, or taken over."""

    def __init__(self) -> None:
        """Watch over nothing yet."""
        self._watched: dict[tuple[UUID, int], asyncio.Event] = {}
        self._looking: asyncio.Task[None] | None = None

    async def until_over(self, job: RunningJob) -> None:
        """Until the worker stops, or the job is not the one that works on its task any more."""
        key, over = (job.id, job.attempt), asyncio.Event()
        self._watched[key] = over
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(job.database))
        waits = [asyncio.create_task(event.wait()) for event in (over, job.stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            del self._watched[key]

    async def _look(self, database: Database) -> None:
        while self._watched:
            # Those that come while the question is asked are not in its answer.
            looked_at = dict(self._watched)
            try:
                held = set(await self._held(database))
            except DATABASE_ERRORS as error:
                # Work goes on: what it writes is refused once the job is another's.
                log.warning("tasks not looked at", error=str(error).split("\n", 1)[0])
            else:
                for key, over in looked_at.items():
                    if key not in held:
                        over.set()
            await asyncio.sleep(LOOK_EVERY)

    async def _held(self, database: Database) -> Sequence[tuple[UUID, int]]:
        query = (
            select(Job.id, Job.attempt)
            .join(Task, Task.job_id == Job.id)
            .where(Job.id.in_([job_id for job_id, _ in self._watched]))
            .where(Task.status == TaskStatus.running)
        )
        async with database.reading() as session:
            return [(job_id, attempt) for job_id, attempt in await session.execute(query)]
