"""The jobs of tasks: work on one, take what people say to it, clear up behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.agents.models import Agent
from assay.agents.sandboxes.models import Sandbox
from assay.agents.sandboxes.rows import ACTIVE
from assay.agents.tasks.answers import ANSWERED_JOB, take_answer
from assay.agents.tasks.changes import keep_diff
from assay.agents.tasks.models import HELD, Task, TaskStatus
from assay.agents.tasks.service import CLEAN_JOB, end_task
from assay.agents.tasks.starting import RUN_JOB
from assay.agents.tasks.watching import Watch
from assay.agents.tasks.workshop import Workshop
from assay.core.database import DATABASE_ERRORS, Database
from assay.jobs.handler import HandBack, JobHandler, RunningJob
from assay.jobs.models import Job, JobStatus

# A worker that has not let go of an ended task after so many looks is not waited for.
LOOKS, LOOK_EVERY = 150, 0.1
# What a full worker gives back is taken by another one, or by itself after this.
FULL = timedelta(seconds=1)


def task_handlers(shop: Workshop) -> Mapping[str, JobHandler]:
    """The handlers of a worker with this workshop."""
    in_hand = 0
    watch = Watch()

    async def run(job: RunningJob) -> None:
        nonlocal in_hand
        if in_hand >= shop.settings.worker_tasks:
            # It was taken together with others, before they counted.
            raise HandBack(FULL)
        in_hand += 1
        try:
            running = await _runner()
            await running.run_task(job, shop, watch)
        finally:
            in_hand -= 1

    async def clean(job: RunningJob) -> None:
        await destroy_sandboxes(job, shop)

    return {
        RUN_JOB: JobHandler(run, fail_task, lambda: in_hand < shop.settings.worker_tasks),
        ANSWERED_JOB: JobHandler(take_answer, fail_task),
        CLEAN_JOB: JobHandler(clean, _leave_it),
    }


@contextlib.asynccontextmanager
async def warmed_up(database: Database) -> AsyncIterator[None]:
    """Load what only tasks need beside the work of the context, where there are agents."""
    loading = asyncio.create_task(_load_where_needed(database))
    try:
        yield
    finally:
        loading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loading


async def _load_where_needed(database: Database) -> None:
    with contextlib.suppress(*DATABASE_ERRORS):
        async with database.reading() as session:
            agents = await session.scalar(select(exists().where(Agent.model.is_not(None))))
        if agents:
            await _runner()


async def _runner() -> Any:
    # pydantic-ai takes seconds to import, and most processes never need it.
    return await asyncio.to_thread(import_module, "assay.agents.tasks.running")


async def destroy_sandboxes(job: RunningJob, shop: Workshop) -> None:
    """Destroy the sandboxes of a task that has ended; what it changed can be looked at still."""
    task_id = UUID(job.params["task_id"])
    await _until_left(job, task_id)
    await keep_diff(job.database, task_id, shop)
    async with job.database.reading() as session:
        query = select(Sandbox.id).where(Sandbox.task_id == task_id, Sandbox.status.in_(ACTIVE))
        ids = (await session.scalars(query)).all()
    for sandbox_id in ids:
        await shop.sandboxes.destroy(job.database, sandbox_id)


async def _until_left(job: RunningJob, task_id: UUID) -> None:
    """Until nobody works on the task any more; one who does has heard of its end already."""
    query = (
        select(Job.id)
        .join(Task, Task.job_id == Job.id)
        .where(Task.id == task_id, Job.status == JobStatus.running)
    )
    for _ in range(LOOKS):
        async with job.database.reading() as session:
            if await session.scalar(query) is None:
                return
        await asyncio.sleep(LOOK_EVERY)


async def fail_task(session: AsyncSession, job: RunningJob, message: str) -> None:
    """A job of the task failed for good, so the task has."""
    task = await session.get(Task, UUID(job.params["task_id"]), with_for_update=HELD)
    if task is not None and task.status.is_active:
        await end_task(session, task, TaskStatus.failed, message)


async def _leave_it(_session: AsyncSession, _job: RunningJob, _message: str) -> None:
    """What clears up lost sandboxes now and then finds it."""
