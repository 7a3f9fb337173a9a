"""Rules and queries of tasks."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.access import authorize_change, visible
from assay.agents.agents.service import (
    GIVEN,
    check_project,
    hold_agent,
    project_for,
    show_state,
)
from assay.agents.people import People
from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.events.service import write_events
from assay.agents.tasks.models import ENDED, HELD, Task, TaskCall, TaskPriority, TaskStatus
from assay.agents.tasks.schemas import TaskCreate, TaskUpdate
from assay.agents.tasks.workshop import Workshop
from assay.core.database import Database
from assay.core.errors import Conflict, FieldFault, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import LOCAL_USER, Actor, job_actor
from assay.identity.audit.service import Change, changed_fields, record
from assay.identity.sight import LastingSight, Sight
from assay.jobs.service import NewJob, enqueue

CLEAN_JOB = "task.clean"
# Where a task begins, which is settled while it is under way and once it is done.
_BEGINNING = ("assigned_agent_id", "repo_url", "base_branch")


class TaskNotFound(NotFound):
    """There is no task with this id."""


class TaskActive(Conflict):
    """The task is under way; cancel it first."""

    code = "task_active"


class TaskEnded(Conflict):
    """The task has come to its end."""

    code = "task_ended"


def _seen(sight: Sight) -> Select[Task]:
    return select(Task).where(visible(sight, Task.project_id, Task.created_by))


async def list_tasks(
    session: AsyncSession,
    sight: Sight,
    page: Page,
    *,
    status: TaskStatus | None = None,
    agent_id: UUID | None = None,
    priority: TaskPriority | None = None,
) -> Sequence[Task]:
    """A page of the tasks that are seen, newest first, as far as the filters let through."""
    query = _seen(sight)
    if status is not None:
        query = query.where(Task.status == status)
    if agent_id is not None:
        query = query.where(Task.assigned_agent_id == agent_id)
    if priority is not None:
        query = query.where(Task.priority == priority)
    return await page.fetch(session, query, Task.id)


async def get_task(session: AsyncSession, sight: Sight, task_id: UUID) -> Task:
    """A task.

    Raises:
        TaskNotFound
    """
    return await _one(session, _seen(sight).where(Task.id == task_id))


async def is_seen_still(database: Database, lasting: LastingSight, task_id: UUID) -> bool:
    """Whether somebody who follows a task may go on; nothing is asked while nothing has changed."""
    if not lasting.stale:
        return True
    sight = await lasting.now()
    if sight is None:
        return False
    async with database.reading() as session:
        return await session.scalar(_seen(sight).where(Task.id == task_id)) is not None


async def hold_task(session: AsyncSession, sight: Sight, task_id: UUID) -> Task:
    """A task that is to be changed; held until the transaction ends.

    Raises:
        TaskNotFound
        RoleTooLow: it is seen, but not to be changed by them.
    """
    task = await _one(session, _seen(sight).where(Task.id == task_id).with_for_update(**HELD))
    authorize_change(sight, task.project_id)
    return task


async def _one(session: AsyncSession, query: Select[Task]) -> Task:
    task = await session.scalar(query.execution_options(populate_existing=True))
    if task is None:
        raise TaskNotFound
    return task


async def create_task(
    session: AsyncSession, sight: Sight, new: TaskCreate, workshop: Workshop
) -> Task:
    """Make a task that nobody has begun; in the project of its agent, where it names no other.

    Raises:
        AgentNotFound, ProjectNotSeen, RoleTooLow, OtherProject
        RemoteRefused: the repository is not one that they may name.
    """
    fields = new.model_dump(exclude={"project_id"})
    check_repository(workshop, sight.actor, new.repo_url, "body.repo_url")
    project_id = project_for(sight, new.project_id)
    if new.assigned_agent_id is not None:
        agent = await hold_agent(session, sight, new.assigned_agent_id, GIVEN)
        project_id = project_id or agent.project_id
        check_project(agent, project_id, "body.assigned_agent_id")
    task = Task(**fields, project_id=project_id, created_by=sight.actor.user_id)
    session.add(task)
    await session.flush()
    record_task(session, sight.actor, "task.created", task)
    return task


def check_repository(workshop: Workshop, actor: Actor, url: str | None, place: str) -> None:
    """Make sure that somebody may name this repository, before its address is kept anywhere.

    Raises:
        RemoteRefused: saying what would be right.
    """
    if url is not None:
        remotes = workshop.mirrors.remotes
        remotes.parse(url, place=place, is_owner=actor.user_id == LOCAL_USER)


async def update_task(
    session: AsyncSession, sight: Sight, task_id: UUID, changes: TaskUpdate, workshop: Workshop
) -> Task:
    """Change the fields that were sent.

    Raises:
        TaskNotFound, RoleTooLow, AgentNotFound, OtherProject, RemoteRefused
        TaskActive: it has begun, so where it begins cannot be changed any more.
    """
    task = await hold_task(session, sight, task_id)
    fields = changes.model_dump(exclude_unset=True)
    late = [field for field in _BEGINNING if field in fields]
    if late and not task.status.can_begin:
        faults = [FieldFault(f"body.{field}", f"the task is {task.status}") for field in late]
        raise TaskActive("Where a task begins is settled once it has begun.", errors=faults)
    check_repository(workshop, sight.actor, fields.get("repo_url"), "body.repo_url")
    if (agent_id := fields.get("assigned_agent_id")) is not None:
        agent = await hold_agent(session, sight, agent_id, GIVEN)
        check_project(agent, task.project_id, "body.assigned_agent_id")
    for field, value in fields.items():
        setattr(task, field, value)
    told = changed_fields(task)
    await session.flush()
    record_task(session, sight.actor, "task.updated", task, **told)
    return task


async def delete_task(session: AsyncSession, sight: Sight, task_id: UUID) -> None:
    """Delete a task with all that happened in it.

    Raises:
        TaskNotFound, RoleTooLow, TaskActive
    """
    task = await hold_task(session, sight, task_id)
    if task.status.is_active:
        raise TaskActive
    await session.execute(delete(Task).where(Task.id == task_id))
    record_task(session, sight.actor, "task.deleted", task)


async def cancel_task(session: AsyncSession, sight: Sight, task_id: UUID, people: People) -> Task:
    """Cancel a task: what it runs is stopped, what it asked is taken back, its sandbox goes.

    Raises:
        TaskNotFound, RoleTooLow, TaskEnded
    """
    task = await hold_task(session, sight, task_id)
    if task.status in ENDED:
        raise TaskEnded(f"The task has come to its end already: it is {task.status}.")
    await _take_back(session, sight.actor, task, people)
    await end_task(session, task, TaskStatus.cancelled)
    record_task(session, sight.actor, "task.cancelled", task)
    return task


async def _take_back(session: AsyncSession, actor: Actor, task: Task, people: People) -> None:
    """Ask nobody any more for a task that goes on no more."""
    asked = await session.scalars(
        select(TaskCall).where(
            TaskCall.task_id == task.id,
            TaskCall.request_id.is_not(None),
            TaskCall.decision.is_(None),
        )
    )
    calls = {call.request_id: call.call_id for call in asked if call.request_id is not None}
    if not calls:
        return
    taken = await people.withdraw(session, actor, [*calls], "The task was cancelled")
    told = (
        {"request_id": str(each), "call_id": calls[each], "status": "cancelled"} for each in taken
    )
    await write_events(session, task.id, *((TaskEventKind.question, each) for each in told))


async def end_task(
    session: AsyncSession, task: Task, status: TaskStatus, error: str | None = None
) -> None:
    """Bring a task that is held to its end; its sandbox is destroyed by a job."""
    task.status, task.error = status, error
    task.completed_at = await session.scalar(select(func.clock_timestamp()))
    await session.flush()
    payload = {"status": status, "error": error, "pull_request_url": task.pull_request_url}
    await write_events(session, task.id, (TaskEventKind.status, payload))
    await show_state(session, task.assigned_agent_id)
    clean = NewJob(CLEAN_JOB, {"task_id": str(task.id)}, parent_id=task.id)
    await enqueue(session, job_actor(task.created_by), clean)


async def add_message(session: AsyncSession, sight: Sight, task_id: UUID, text: str) -> Task:
    """Say something to the agent; its model reads it before its next turn.

    Raises:
        TaskNotFound, RoleTooLow, TaskEnded
    """
    task = await hold_task(session, sight, task_id)
    if task.status in ENDED:
        raise TaskEnded(f"Nobody reads it any more: the task is {task.status}.")
    payload = {"role": "user", "text": text, "by": sight.actor.user_id}
    await write_events(session, task_id, (TaskEventKind.message, payload))
    record_task(session, sight.actor, "task.message", task)
    return task


def record_task(
    session: AsyncSession, actor: Actor, action: str, task: Task, **details: object
) -> None:
    """Record a change of a task, and tell those who may see it."""
    told = {"status": task.status, **details}
    change = Change(Topic.tasks, action, task.id, task.project_id, told, task.created_by)
    record(session, actor, change)
