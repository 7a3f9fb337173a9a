"""Agents over HTTP."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Request, status

from assay.agents.access import EditingSight, ReadingSight
from assay.agents.agents import service
from assay.agents.agents.models import Agent, AgentStatus
from assay.agents.agents.schemas import AgentCreate, AgentRead, AgentUpdate
from assay.agents.agents.service import AgentBusy, AgentNotFound, OtherProject
from assay.agents.sandboxes.providers.types import SandboxUnreachable, SandboxUnusable
from assay.agents.tasks import starting
from assay.agents.tasks.models import Task
from assay.agents.tasks.schemas import TaskRead, TaskStart
from assay.agents.tasks.service import TaskNotFound
from assay.agents.tasks.starting import AgentOffline, NotStartable, TaskClearing, TaskStarted
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.identity.sight import ProjectNotSeen

router = APIRouter(prefix="/agents", tags=["agents"], responses=problems(Invalid))


@router.get("", response_model=list[AgentRead])
async def list_agents(
    session: Session, sight: ReadingSight, page: Paging, status: AgentStatus | None = None
) -> Sequence[Agent]:
    """List agents, newest first."""
    return await service.list_agents(session, sight, page, status=status)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=AgentRead,
    responses=problems(ProjectNotSeen),
)
async def create_agent(session: Session, sight: EditingSight, new: AgentCreate) -> Agent:
    """Make an agent."""
    return await service.create_agent(session, sight, new)


@router.get("/{agent_id}", response_model=AgentRead, responses=problems(AgentNotFound))
async def get_agent(session: Session, sight: ReadingSight, agent_id: UUID) -> Agent:
    """Read an agent."""
    return await service.get_agent(session, sight, agent_id)


@router.patch("/{agent_id}", response_model=AgentRead, responses=problems(AgentNotFound))
async def update_agent(
    session: Session, sight: EditingSight, agent_id: UUID, changes: AgentUpdate
) -> Agent:
    """Change an agent: only the fields that are sent."""
    return await service.update_agent(session, sight, agent_id, changes)


@router.delete(
    "/{agent_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(AgentNotFound, AgentBusy),
)
async def delete_agent(session: Session, sight: EditingSight, agent_id: UUID) -> None:
    """Delete an agent; its tasks stay."""
    await service.delete_agent(session, sight, agent_id)


@router.post(
    "/{agent_id}/start-task",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=TaskRead,
    responses=problems(
        AgentNotFound,
        TaskNotFound,
        TaskStarted,
        TaskClearing,
        AgentOffline,
        OtherProject,
        NotStartable,
        SandboxUnusable,
        SandboxUnreachable,
    ),
)
async def start_task(
    request: Request, session: Session, sight: EditingSight, agent_id: UUID, start: TaskStart
) -> Task:
    """Let an agent begin a task: a new one, or one that is there, also one that failed."""
    return await starting.start_task(session, sight, agent_id, start, request.app.state.workshop)
