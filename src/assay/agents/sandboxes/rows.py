"""The rows of sandboxes through their life, and who is told of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, ScalarSelect, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from assay.agents.agents.models import Agent
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.tasks.models import Task
from assay.events.models import Topic
from assay.events.service import publish
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, record

ACTIVE = (SandboxStatus.creating, SandboxStatus.running, SandboxStatus.paused)
"""Those that may be there."""
_MADE = (SandboxStatus.running, SandboxStatus.paused)


def in_seconds(seconds: float) -> ColumnElement[Any]:
    """The moment so many seconds from now, by the clock of the database."""
    return func.clock_timestamp(type_=DateTime(timezone=True)) + timedelta(seconds=seconds)


async def newest_active(session: AsyncSession, task_id: UUID) -> Sandbox | None:
    """The sandbox that a task has now."""
    query = (
        select(Sandbox)
        .where(Sandbox.task_id == task_id, Sandbox.status.in_(ACTIVE))
        .order_by(Sandbox.created_at.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def change(
    session: AsyncSession,
    sandbox_id: str,
    status: SandboxStatus,
    *,
    among: tuple[SandboxStatus, ...] = ACTIVE,
    actor: Actor | None = None,
    **values: Any,
) -> bool:
    """Give an active sandbox another status, and tell of it; gives whether it was one of `among`.

    `actor` is who did it, where it was a person; `values` are of other columns, also of `id`.
    """
    statement = (
        update(Sandbox)
        .where(Sandbox.id == sandbox_id, Sandbox.status.in_(among))
        .values(status=status, **values)
        .returning(Sandbox)
        .execution_options(synchronize_session=False)
    )
    row = await session.scalar(statement)
    if row is None:
        return False
    await _show_agent(session, row)
    await tell(session, row, actor)
    return True


def sandbox_at(task_id: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ScalarSelect[str]:
    """The sandbox that a task has, once it is made; for a statement."""
    query = select(Sandbox.id).where(Sandbox.task_id == task_id, Sandbox.status.in_(_MADE))
    return query.order_by(Sandbox.created_at.desc()).limit(1).scalar_subquery()


async def _show_agent(session: AsyncSession, row: Sandbox) -> None:
    """Let the agent of a sandbox say which one the task has that it is at."""
    await session.execute(
        update(Agent)
        .where(Agent.id == row.agent_id)
        .values(sandbox_id=sandbox_at(Agent.current_task_id))
        .execution_options(synchronize_session=False)
    )


async def tell(session: AsyncSession, row: Sandbox, actor: Actor | None = None) -> None:
    """Tell those who see its task what a sandbox is at now."""
    action = f"sandbox.{row.status}"
    task = await session.get(Task, row.task_id) if row.task_id else None
    project_id, owner = (task.project_id, task.created_by) if task else (None, None)
    details = {
        "status": row.status,
        "agent_id": str(row.agent_id) if row.agent_id else None,
        "task_id": str(row.task_id) if row.task_id else None,
    }
    if actor is not None:
        record(session, actor, Change(Topic.agents, action, row.id, project_id, details, owner))
        return
    publish(
        session,
        Topic.agents,
        action,
        {"id": row.id, **details},
        subject=row.id,
        project_id=project_id,
        user_id=owner,
    )
