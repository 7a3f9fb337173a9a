"""What people decide about the calls of a task, and how it goes on with that."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.agents.service import show_state
from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.events.service import write_events
from assay.agents.tasks.models import HELD, Task, TaskCall, TaskStatus
from assay.agents.tasks.starting import hand_to_worker
from assay.agents.tasks.tools.desk import Decision, Verdict
from assay.jobs.handler import RunningJob

ANSWERED_JOB = "task.answered"


async def take_answer(job: RunningJob) -> None:
    """Keep what was decided about a call; with the last one of a task, let it go on.

    A task that has ended meanwhile, or is gone, is left alone.
    """
    params = job.params
    async with job.database.session() as session:
        await job.complete(session)
        task = await session.get(Task, UUID(params["task_id"]), with_for_update=HELD)
        call = await session.get(TaskCall, (UUID(params["task_id"]), params["call_id"]))
        if task is None or call is None or task.status is not TaskStatus.waiting:
            return
        if str(call.request_id) != params["request_id"]:
            # Asked by an earlier try of the task.
            return
        decision = decision_of(params)
        call.decision = decision.model_dump(mode="json")
        await session.flush()
        told = {
            "request_id": params["request_id"],
            "call_id": call.call_id,
            "status": params["status"],
            "by": [each["by"] for each in params["answers"]],
            "decision": call.decision,
        }
        await write_events(session, task.id, (TaskEventKind.question, told))
        if not await _open_questions(session, task.id):
            await go_on(session, job, task)


async def go_on(session: AsyncSession, job: RunningJob, task: Task) -> None:
    """Let a task that waited be worked on again."""
    task.status = TaskStatus.running
    await session.flush()
    status = {"status": task.status, "step": task.step}
    await write_events(session, task.id, (TaskEventKind.status, status))
    await show_state(session, task.assigned_agent_id)
    await hand_to_worker(session, job.actor, task)


async def _open_questions(session: AsyncSession, task_id: UUID) -> int:
    return (
        await session.scalar(
            select(func.count()).where(
                TaskCall.task_id == task_id,
                TaskCall.request_id.is_not(None),
                TaskCall.decision.is_(None),
            )
        )
        or 0
    )


def decision_of(params: Mapping[str, Any]) -> Decision:
    """What was decided, from the parameters of the job that tells of it."""
    response, comments = params["response"], _comments(params["answers"])
    if params["approval"]:
        if response is not None and response["approved"]:
            return Decision(verdict=Verdict.approved, arguments=response.get("edits"))
        return Decision(verdict=Verdict.denied, text=comments or _NOBODY.get(params["status"], ""))
    if response is None:
        return Decision(verdict=Verdict.answered, text=_NOBODY[params["status"]])
    said = f"{response}\n{comments}" if comments else str(response)
    return Decision(verdict=Verdict.answered, text=said)


_NOBODY = {
    "expired": "nobody answered in time",
    "cancelled": "the question was taken back before anybody answered",
}


def _comments(answers: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(each["comment"] for each in answers if each["comment"])
