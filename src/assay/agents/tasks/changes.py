"""What a task has changed so far, from its sandbox or from its commits."""

import contextlib
from uuid import UUID

from sqlalchemy import select, update

from assay.agents.agents.models import Agent
from assay.agents.git import clones
from assay.agents.sandboxes import rows
from assay.agents.sandboxes.lifecycle import limits_of
from assay.agents.sandboxes.models import SandboxStatus
from assay.agents.sandboxes.providers.types import Sandbox
from assay.agents.tasks.models import Task, TaskStatus
from assay.agents.tasks.schemas import TaskDiff
from assay.agents.tasks.service import get_task
from assay.agents.tasks.storable import storable
from assay.agents.tasks.workshop import Workshop
from assay.core.database import Database
from assay.core.errors import AssayError
from assay.identity.sight import Sight

LONGEST_DIFF = 512 * 1024


async def read_diff(database: Database, sight: Sight, task_id: UUID, shop: Workshop) -> TaskDiff:
    """What a task has changed: live, where its sandbox runs and is seen from here.

    Raises:
        TaskNotFound
    """
    async with database.reading() as session:
        task = await get_task(session, sight, task_id)
        kept = await session.scalar(select(Task.diff).where(Task.id == task_id))
    if task.status.is_active and task.base_sha is not None:
        with contextlib.suppress(AssayError):
            if (live := await _live(database, task, task.base_sha, shop)) is not None:
                return TaskDiff(base_sha=task.base_sha, diff=live, live=True)
    return TaskDiff(base_sha=task.base_sha, diff=kept or "", live=False)


async def keep_diff(database: Database, task_id: UUID, shop: Workshop) -> None:
    """Keep what a task has changed that did not come to a commit, before its sandbox goes.

    Where the sandbox cannot say, what was kept before stays.
    """
    async with database.reading() as session:
        task = await session.get(Task, task_id)
    if task is None or task.base_sha is None or task.status is TaskStatus.completed:
        return
    with contextlib.suppress(AssayError):
        if diff := await _live(database, task, task.base_sha, shop):
            async with database.session() as session:
                await session.execute(update(Task).where(Task.id == task_id).values(diff=diff))


async def diff_of(sandbox: Sandbox, base_sha: str) -> str:
    """What is changed in a sandbox against a commit, cut where it is long; for the database.

    Raises:
        SandboxGone
        CloneBroken: git does not work there any more.
    """
    return str(storable(await clones.diff(sandbox, base_sha, limit=LONGEST_DIFF)))


async def _live(database: Database, task: Task, base_sha: str, shop: Workshop) -> str | None:
    async with database.reading() as session:
        row = await rows.newest_active(session, task.id)
        agent = await session.get(Agent, task.assigned_agent_id)
    if row is None or agent is None or row.status is not SandboxStatus.running:
        return None
    if not shop.sandboxes.is_here(row):
        return None
    limits = limits_of(shop.settings, agent)
    sandbox = await shop.provider(row.provider).open(row.id, limits)
    return await diff_of(sandbox, base_sha)
