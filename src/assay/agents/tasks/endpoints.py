"""Tasks over HTTP."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response, status

from assay.agents.access import EditingSight, ReadingSight
from assay.agents.agents.service import AgentNotFound, OtherProject
from assay.agents.git.errors import RemoteRefused
from assay.agents.git.models import GitOperation
from assay.agents.git.operations import list_operations
from assay.agents.tasks import changes, service
from assay.agents.tasks.events.stream import TaskEvents
from assay.agents.tasks.models import Task, TaskPriority, TaskStatus
from assay.agents.tasks.schemas import (
    GitOperationRead,
    TaskCreate,
    TaskDiff,
    TaskMessageCreate,
    TaskRead,
    TaskUpdate,
)
from assay.agents.tasks.service import TaskActive, TaskEnded, TaskNotFound
from assay.core.database import Database, Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.identity.sight import LastingSight, ProjectNotSeen

router = APIRouter(prefix="/tasks", tags=["tasks"], responses=problems(Invalid))

LAST_SEQUENCE = 2**31 - 1


@router.get("", response_model=list[TaskRead])
async def list_tasks(
    session: Session,
    sight: ReadingSight,
    page: Paging,
    status: TaskStatus | None = None,
    agent_id: UUID | None = None,
    priority: TaskPriority | None = None,
) -> Sequence[Task]:
    """List tasks, newest first."""
    return await service.list_tasks(
        session, sight, page, status=status, agent_id=agent_id, priority=priority
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=TaskRead,
    responses=problems(AgentNotFound, ProjectNotSeen, OtherProject, RemoteRefused),
)
async def create_task(
    request: Request, session: Session, sight: EditingSight, new: TaskCreate
) -> Task:
    """Make a task, which nobody begins yet."""
    return await service.create_task(session, sight, new, request.app.state.workshop)


@router.get("/{task_id}", response_model=TaskRead, responses=problems(TaskNotFound))
async def get_task(session: Session, sight: ReadingSight, task_id: UUID) -> Task:
    """Read a task."""
    return await service.get_task(session, sight, task_id)


@router.patch(
    "/{task_id}",
    response_model=TaskRead,
    responses=problems(TaskNotFound, AgentNotFound, TaskActive, OtherProject, RemoteRefused),
)
async def update_task(
    request: Request, session: Session, sight: EditingSight, task_id: UUID, changes: TaskUpdate
) -> Task:
    """Change a task: only the fields that are sent."""
    workshop = request.app.state.workshop
    return await service.update_task(session, sight, task_id, changes, workshop)


@router.delete(
    "/{task_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(TaskNotFound, TaskActive),
)
async def delete_task(session: Session, sight: EditingSight, task_id: UUID) -> None:
    """Delete a task that is not under way."""
    await service.delete_task(session, sight, task_id)


@router.post(
    "/{task_id}/cancel", response_model=TaskRead, responses=problems(TaskNotFound, TaskEnded)
)
async def cancel_task(
    request: Request, session: Session, sight: EditingSight, task_id: UUID
) -> Task:
    """Cancel a task; what it runs is stopped at once."""
    return await service.cancel_task(session, sight, task_id, request.app.state.workshop.people)


@router.post(
    "/{task_id}/message",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=TaskRead,
    responses=problems(TaskNotFound, TaskEnded),
)
async def add_message(
    session: Session, sight: EditingSight, task_id: UUID, message: TaskMessageCreate
) -> Task:
    """Say something to the agent, which reads it before its next turn."""
    return await service.add_message(session, sight, task_id, message.text)


@router.get(
    "/{task_id}/events",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **problems(TaskNotFound),
    },
)
async def stream_events(
    request: Request,
    sight: ReadingSight,
    task_id: UUID,
    last_event_id: Annotated[
        int, Header(ge=0, le=LAST_SEQUENCE, description="Go on behind this event")
    ] = 0,
    follow: Annotated[bool, Query(description="Whether to go on until the task has ended")] = True,
) -> TaskEvents:
    """Read what happened in a task from its beginning, and follow it (server-sent events)."""
    state = request.app.state
    database, lasting = cast("Database", state.database), LastingSight(request, sight.actor)
    async with database.reading() as session:
        await service.get_task(session, sight, task_id)

    async def seen() -> bool:
        return await service.is_seen_still(database, lasting, task_id)

    return TaskEvents(database, state.task_waiters, seen, task_id, last_event_id, follow=follow)


@router.get("/{task_id}/diff", responses=problems(TaskNotFound))
async def read_diff(request: Request, sight: ReadingSight, task_id: UUID) -> TaskDiff:
    """Read what a task has changed, from its sandbox where that is there."""
    state = request.app.state
    return await changes.read_diff(state.database, sight, task_id, state.workshop)


@router.get(
    "/{task_id}/git-operations",
    response_model=list[GitOperationRead],
    responses=problems(TaskNotFound),
)
async def list_git_operations(
    session: Session, sight: ReadingSight, page: Paging, task_id: UUID
) -> Sequence[GitOperation]:
    """List what was done with git for a task, the first first."""
    await service.get_task(session, sight, task_id)
    return await list_operations(session, task_id, page)
