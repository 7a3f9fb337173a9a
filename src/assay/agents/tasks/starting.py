"""Let an agent begin a task; what could keep it from the work is found out before."""

from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.agents.models import Agent, AgentStatus
from assay.agents.agents.service import GIVEN, check_project, hold_agent, show_state
from assay.agents.git.branches import branch_name
from assay.agents.git.errors import RemoteRefused
from assay.agents.git.models import GitOperation, OperationType
from assay.agents.sandboxes.models import Sandbox
from assay.agents.sandboxes.rows import ACTIVE
from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.events.service import write_events
from assay.agents.tasks.models import Task, TaskCall, TaskMessage, TaskStatus, TaskStep
from assay.agents.tasks.schemas import TaskStart
from assay.agents.tasks.service import check_repository, hold_task, record_task
from assay.agents.tasks.workshop import Workshop
from assay.core.errors import AssayError, Conflict, FieldFault, Invalid
from assay.identity.actor import Actor, job_actor
from assay.identity.sight import Sight
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import NewJob, enqueue

RUN_JOB = "task.run"
_UNFINISHED = (JobStatus.queued, JobStatus.running)


class TaskStarted(Conflict):
    """The task has been started already."""

    code = "task_started"


class TaskClearing(Conflict):
    """What the last try has left is being cleared away; start the task again in a moment."""

    code = "task_clearing"


class AgentOffline(Conflict):
    """The agent is offline and takes no tasks."""

    code = "agent_offline"


class NotStartable(Invalid):
    """The task cannot be begun like this."""

    code = "not_startable"


async def start_task(
    session: AsyncSession, sight: Sight, agent_id: UUID, start: TaskStart, workshop: Workshop
) -> Task:
    """Let an agent begin a task, which a worker takes up within moments.

    A task that failed or was cancelled is begun anew, on another branch: its events go on, and
    what it costs is added to what it has cost.

    Raises:
        AgentNotFound, TaskNotFound, RoleTooLow, TaskStarted, TaskClearing, AgentOffline
        OtherProject: the agent is for the tasks of another project.
        NotStartable: naming what is missing or wrong: the model, the repository.
        SandboxUnusable: no sandbox can be made here; with what mends that.
    """
    task = None
    if start.task_id is not None:
        # Before the agent: tasks that end hold both in this order.
        task = await hold_task(session, sight, start.task_id)
    agent = await hold_agent(session, sight, agent_id, GIVEN)
    if agent.status is AgentStatus.offline:
        raise AgentOffline
    if task is None:
        task = Task(
            **start.model_dump(exclude={"task_id"}),
            project_id=agent.project_id,
            created_by=sight.actor.user_id,
        )
    else:
        check_project(agent, task.project_id, "path.agent_id")
        if not task.status.can_begin:
            raise TaskStarted(f"The task has been started already: it is {task.status}.")
    _check(workshop, sight.actor, agent, task)
    await workshop.sandboxes.check(agent.provider)
    if start.task_id is None:
        session.add(task)
        await session.flush()
        record_task(session, sight.actor, "task.created", task)
    elif task.started_at is not None:
        await _begin_anew(session, task)
    task.git_branch = await _free_branch(session, task)
    task.assigned_agent_id = agent.id
    task.status = TaskStatus.running
    task.started_at = await session.scalar(select(func.clock_timestamp()))
    await session.flush()
    await write_events(
        session, task.id, (TaskEventKind.status, {"status": task.status, "step": task.step})
    )
    await show_state(session, agent.id)
    await hand_to_worker(session, job_actor(task.created_by), task)
    record_task(session, sight.actor, "task.started", task, agent_id=str(agent.id))
    await session.refresh(task)
    return task


async def _begin_anew(session: AsyncSession, task: Task) -> None:
    """Let nothing of the last try be in the way of the next one.

    Raises:
        TaskClearing: a worker is still at it, or its sandbox is there.
    """
    at_it = exists().where(Job.parent_id == task.id, Job.status.in_(_UNFINISHED))
    there = exists().where(Sandbox.task_id == task.id, Sandbox.status.in_(ACTIVE))
    if await session.scalar(select(or_(at_it, there))):
        raise TaskClearing
    await session.execute(delete(TaskMessage).where(TaskMessage.task_id == task.id))
    await session.execute(delete(TaskCall).where(TaskCall.task_id == task.id))
    task.step = TaskStep.prepare
    task.base_sha = task.pushed_sha = task.pull_request_url = None
    task.summary = task.diff = task.plan = task.error = task.completed_at = None
    # They are limits of one try; what it may cost is one of the task.
    task.steps, task.seconds = 0, 0.0
    # It was said about what is gone.
    task.read_sequence = task.last_sequence


async def _free_branch(session: AsyncSession, task: Task) -> str:
    """A branch that no earlier try has made: what was pushed stays where it is."""
    made = GitOperation.operation_type == OperationType.branch
    query = select(func.count()).where(GitOperation.task_id == task.id, made)
    name, earlier = branch_name(task.id, task.title), await session.scalar(query)
    return f"{name}-{earlier + 1}" if earlier else name


def _check(workshop: Workshop, actor: Actor, agent: Agent, task: Task) -> None:
    faults = []
    if agent.model is None:
        faults.append(FieldFault("agent.model", "the agent has none yet: set one, provider/model"))
    else:
        try:
            workshop.gateway.check(agent.model)
        except AssayError as error:
            faults.append(FieldFault("agent.model", str(error)))
    if task.repo_url is None:
        faults.append(FieldFault("task.repo_url", "the task has none: set the repository"))
    else:
        try:
            check_repository(workshop, actor, task.repo_url, "task.repo_url")
        except RemoteRefused as error:
            faults.append(FieldFault("task.repo_url", error.detail))
    if faults:
        raise NotStartable(f"The task cannot be begun: {faults[0]}", errors=faults)


async def hand_to_worker(session: AsyncSession, actor: Actor, task: Task) -> None:
    """Enqueue the work on a task that is running from now on."""
    [job] = await enqueue(
        session, actor, NewJob(RUN_JOB, {"task_id": str(task.id)}, parent_id=task.id)
    )
    task.job_id = job.id
    await session.flush()
