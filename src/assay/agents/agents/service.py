"""Rules and queries of agents."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.access import authorize_change, visible
from assay.agents.agents.models import Agent, AgentStatus
from assay.agents.agents.schemas import AgentCreate, AgentUpdate
from assay.agents.sandboxes.models import Sandbox
from assay.agents.sandboxes.rows import sandbox_at
from assay.agents.tasks.models import ACTIVE, HELD, Task, TaskStatus
from assay.core.errors import Conflict, FieldFault, Invalid, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.events.service import publish
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, changed_fields, record
from assay.identity.sight import ProjectNotSeen, Sight

Hold = Mapping[str, Any]
# Tasks can begin and end at an agent that is being changed, and while it is given another one; they
# hold their task first. Only deleting it waits for all of them.
_CHANGED: Hold = {"key_share": True}
_DELETED: Hold = {}
GIVEN: Hold = {"read": True, "key_share": True}
"""How an agent is held while it is given a task."""


class AgentNotFound(NotFound):
    """There is no agent with this id."""


class AgentBusy(Conflict):
    """The agent is at a task; cancel that first."""

    code = "agent_busy"


class OtherProject(Invalid):
    """The agent is for the tasks of another project."""

    code = "other_project"


def _seen(sight: Sight) -> Select[Agent]:
    return select(Agent).where(visible(sight, Agent.project_id, Agent.created_by))


async def list_agents(
    session: AsyncSession, sight: Sight, page: Page, *, status: AgentStatus | None = None
) -> Sequence[Agent]:
    """A page of the agents that are seen, newest first."""
    query = _seen(sight)
    if status is not None:
        query = query.where(Agent.status == status)
    return await page.fetch(session, query, Agent.id)


async def get_agent(session: AsyncSession, sight: Sight, agent_id: UUID) -> Agent:
    """An agent.

    Raises:
        AgentNotFound
    """
    return await _one(session, _seen(sight).where(Agent.id == agent_id))


async def hold_agent(session: AsyncSession, sight: Sight, agent_id: UUID, hold: Hold) -> Agent:
    """An agent that is to be changed, or to be given a task; held until the transaction ends.

    Raises:
        AgentNotFound
        RoleTooLow: it is seen, but not to be changed by them.
    """
    query = _seen(sight).where(Agent.id == agent_id).with_for_update(**hold)
    agent = await _one(session, query)
    authorize_change(sight, agent.project_id)
    return agent


def check_project(agent: Agent, project_id: UUID | None, place: str) -> None:
    """Make sure that a task of this project may be given to an agent.

    Raises:
        OtherProject
    """
    if agent.project_id not in (None, project_id):
        fault = FieldFault(place, "takes an agent of the task's project, or one without a project")
        raise OtherProject(errors=[fault])


async def _one(session: AsyncSession, query: Select[Agent]) -> Agent:
    agent = await session.scalar(query.execution_options(populate_existing=True))
    if agent is None:
        raise AgentNotFound
    return agent


def project_for(sight: Sight, project_id: UUID | None) -> UUID | None:
    """The project that a new thing is in: the one named, or that of the key.

    Raises:
        ProjectNotSeen
        RoleTooLow: they see it, but are no editor there.
    """
    project_id = project_id or sight.actor.project_id
    if project_id is not None and not sight.sees_project(project_id):
        raise ProjectNotSeen(errors=[FieldFault("body.project_id", "take one that you see")])
    authorize_change(sight, project_id)
    return project_id


async def create_agent(session: AsyncSession, sight: Sight, new: AgentCreate) -> Agent:
    """Make an agent.

    Raises:
        ProjectNotSeen, RoleTooLow
    """
    fields = new.model_dump(exclude={"project_id", "approval_policy"})
    agent = Agent(
        **fields,
        approval_policy=new.approval_policy.model_dump(mode="json"),
        project_id=project_for(sight, new.project_id),
        created_by=sight.actor.user_id,
    )
    session.add(agent)
    await session.flush()
    _record(session, sight.actor, "agent.created", agent, name=agent.name)
    return agent


async def update_agent(
    session: AsyncSession, sight: Sight, agent_id: UUID, changes: AgentUpdate
) -> Agent:
    """Change the fields that were sent; tasks that are under way go on as they began.

    Raises:
        AgentNotFound, RoleTooLow
        Invalid: the status is one that only tasks give.
    """
    agent = await hold_agent(session, sight, agent_id, _CHANGED)
    fields = changes.model_dump(exclude_unset=True, mode="json")
    status = fields.pop("status", None)
    for field, value in fields.items():
        setattr(agent, field, value)
    told = changed_fields(agent)
    await session.flush()
    if status is not None:
        await _switch(session, agent, AgentStatus(status))
    _record(session, sight.actor, "agent.updated", agent, **told)
    return agent


async def _switch(session: AsyncSession, agent: Agent, status: AgentStatus) -> None:
    if status not in (AgentStatus.offline, AgentStatus.idle):
        fault = FieldFault("body.status", "takes offline or idle; the others come by its tasks")
        raise Invalid(errors=[fault])
    agent.status = status
    await session.flush()
    if status is AgentStatus.idle:
        await show_state(session, agent.id)
        await session.refresh(agent)


async def delete_agent(session: AsyncSession, sight: Sight, agent_id: UUID) -> None:
    """Delete an agent; its tasks stay, assigned to nobody.

    Raises:
        AgentNotFound, RoleTooLow, AgentBusy
    """
    seen = await get_agent(session, sight, agent_id)
    authorize_change(sight, seen.project_id)
    held = await _hold_what_is_its(session, agent_id)
    agent = await hold_agent(session, sight, agent_id, _DELETED)
    its = await session.execute(
        select(Task.id, Task.status).where(Task.assigned_agent_id == agent_id)
    )
    for task_id, status in its:
        if status.is_active:
            raise AgentBusy
        if task_id not in held:
            raise AgentBusy("The agent has been given a task in this moment; look at that first.")
    await session.execute(delete(Agent).where(Agent.id == agent_id))
    _record(session, sight.actor, "agent.deleted", agent, name=agent.name)


async def _hold_what_is_its(session: AsyncSession, agent_id: UUID) -> set[UUID]:
    """Hold the tasks and sandboxes of an agent, which go on without it; gives the tasks.

    All who change those hold them before the agent, so that nobody waits in a circle.
    """
    tasks = select(Task.id).where(Task.assigned_agent_id == agent_id).order_by(Task.id)
    held = set(await session.scalars(tasks.with_for_update(**HELD)))
    sandboxes = select(Sandbox.id).where(Sandbox.agent_id == agent_id).order_by(Sandbox.id)
    await session.execute(sandboxes.with_for_update(**HELD))
    return held


async def show_state(session: AsyncSession, agent_id: UUID | None) -> None:
    """Let an agent's status say what its tasks are at; one that is offline stays so."""
    if agent_id is None:
        return
    of_agent = select(Task.id).where(Task.assigned_agent_id == agent_id)
    running = of_agent.where(Task.status == TaskStatus.running)
    waiting = of_agent.where(Task.status == TaskStatus.waiting)
    latest = of_agent.where(Task.status.in_(ACTIVE)).order_by(Task.updated_at.desc()).limit(1)
    changed = (
        await session.execute(
            update(Agent)
            .where(Agent.id == agent_id)
            .values(
                status=case(
                    (Agent.status == AgentStatus.offline, AgentStatus.offline),
                    (running.exists(), AgentStatus.working),
                    (waiting.exists(), AgentStatus.waiting),
                    else_=AgentStatus.idle,
                ),
                current_task_id=latest.scalar_subquery(),
                sandbox_id=sandbox_at(latest.scalar_subquery()),
            )
            .returning(Agent.status, Agent.project_id, Agent.created_by)
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    if changed is None:
        return
    status, project_id, owner = changed
    data = {"id": str(agent_id), "status": status}
    publish(
        session,
        Topic.agents,
        "agent.status",
        data,
        subject=agent_id,
        project_id=project_id,
        user_id=owner,
    )


def _record(
    session: AsyncSession, actor: Actor, action: str, agent: Agent, **details: object
) -> None:
    change = Change(Topic.agents, action, agent.id, agent.project_id, details, agent.created_by)
    record(session, actor, change)
