"""Queries of sandboxes: a sandbox is seen by those who see its task."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.access import authorize_change, visible
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.tasks.models import Task
from assay.core.errors import NotFound
from assay.core.pagination import Page
from assay.identity.sight import Sight


class SandboxNotFound(NotFound):
    """There is no sandbox with this id."""


def _seen(sight: Sight) -> Select[Sandbox]:
    # The task may be deleted: then only admins see what is left.
    query = select(Sandbox).outerjoin(Task, Sandbox.task_id == Task.id)
    return query.where(visible(sight, Task.project_id, Task.created_by))


async def list_sandboxes(
    session: AsyncSession,
    sight: Sight,
    page: Page,
    *,
    agent_id: UUID | None = None,
    task_id: UUID | None = None,
    status: SandboxStatus | None = None,
) -> Sequence[Sandbox]:
    """A page of the sandboxes that are seen, newest first, as far as the filters let through."""
    query = _seen(sight)
    if agent_id is not None:
        query = query.where(Sandbox.agent_id == agent_id)
    if task_id is not None:
        query = query.where(Sandbox.task_id == task_id)
    if status is not None:
        query = query.where(Sandbox.status == status)
    return await page.fetch(session, query, Sandbox.created_at, Sandbox.id)


async def get_sandbox(session: AsyncSession, sight: Sight, sandbox_id: str) -> Sandbox:
    """A sandbox.

    Raises:
        SandboxNotFound
    """
    sandbox = await session.scalar(_seen(sight).where(Sandbox.id == sandbox_id))
    if sandbox is None:
        raise SandboxNotFound
    return sandbox


async def may_destroy(session: AsyncSession, sight: Sight, sandbox_id: str) -> None:
    """Make sure that somebody may destroy a sandbox: who may change its task.

    Raises:
        SandboxNotFound
        RoleTooLow: they see it, but are no editor in its project.
    """
    sandbox = await get_sandbox(session, sight, sandbox_id)
    task = await session.get(Task, sandbox.task_id) if sandbox.task_id else None
    authorize_change(sight, None if task is None else task.project_id)
