"""Rules and queries of runs."""

import contextlib
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import Conflict, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, record
from assay.jobs.service import NewJob, cancel_jobs, enqueue
from assay.playground.access import authorize, in_projects
from assay.playground.prompts.models import PromptVersion
from assay.playground.runs.models import EvalRun, RunStatus
from assay.playground.runs.people import People
from assay.playground.runs.shards import end_run
from assay.playground.runs.tasks import PLAN_JOB
from assay.playground.runs.waiting.storing import stop_waiting

CANCELED = "The run was canceled."


class RunNotFound(NotFound):
    """There is no run with this id."""


class RunNotActive(Conflict):
    """The run has already ended."""


class RunInUse(Conflict):
    """The answers of this run are graded again by another one; delete that first."""


class RunStillActive(Conflict):
    """The run is still going on; cancel it first."""


async def get_run(
    session: AsyncSession, actor: Actor, run_id: UUID, *, lock: bool = False
) -> EvalRun:
    """The run with this id.

    Raises:
        RunNotFound: there is none.
    """
    query = select(EvalRun).where(EvalRun.id == run_id, in_projects(actor, EvalRun.project_id))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    run = await session.scalar(query)
    if run is None:
        raise RunNotFound
    return run


async def list_runs(
    session: AsyncSession,
    actor: Actor,
    page: Page,
    *,
    project_id: UUID | None = None,
    prompt_id: UUID | None = None,
    dataset_id: UUID | None = None,
    status: RunStatus | None = None,
) -> Sequence[EvalRun]:
    """Runs, newest first."""
    statement = select(EvalRun).where(in_projects(actor, EvalRun.project_id))
    if dataset_id is not None:
        statement = statement.where(EvalRun.dataset_id == dataset_id)
    if status is not None:
        statement = statement.where(EvalRun.status == status)
    if prompt_id is not None:
        statement = statement.join(PromptVersion, PromptVersion.id == EvalRun.prompt_version_id)
        statement = statement.where(PromptVersion.prompt_id == prompt_id)
    if project_id is not None:
        statement = statement.where(EvalRun.project_id == project_id)
    return await page.fetch(session, statement, EvalRun.id)


async def cancel_run(session: AsyncSession, actor: Actor, people: People, run_id: UUID) -> EvalRun:
    """Stop a run; what is stored stays, and it can be resumed.

    What `people` were asked for it is withdrawn, and asked again when it is resumed.

    Raises:
        RunNotFound: there is none.
        RunNotActive: it has already ended.
        RoleTooLow
    """
    run = await get_own_run(session, actor, run_id)
    if run.status.is_active and await _cancel(session, actor, people, run):
        return run
    raise RunNotActive(f"The run has already ended: it is {run.status}.")


async def cancel_runs(
    session: AsyncSession, actor: Actor, people: People, which: ColumnElement[bool]
) -> None:
    """Stop all active runs among `which`, because something that they need is to be deleted.

    Whoever may delete that may stop them too: the caller has looked.
    """
    going = EvalRun.status.in_([status for status in RunStatus if status.is_active])
    runs = await session.scalars(select(EvalRun).where(which, going).order_by(EvalRun.id))
    for run in runs.all():
        with contextlib.suppress(RunNotFound):
            await _cancel(session, actor, people, run)


async def _cancel(session: AsyncSession, actor: Actor, people: People, run: EvalRun) -> bool:
    """Cancel a run, unless it has ended meanwhile; gives whether it was still going on."""
    # Everywhere jobs are locked before their run, or two would wait for each other.
    if run.job_id is not None:
        await cancel_jobs(session, actor, parent_id=run.job_id)
    found = await session.get(EvalRun, run.id, with_for_update=True, populate_existing=True)
    if found is None:
        raise RunNotFound
    if not run.status.is_active:
        return False
    await stop_waiting(session, people, actor, run, CANCELED)
    await end_run(session, run, RunStatus.canceled)
    record_run(session, actor, "run.canceled", run)
    return True


async def delete_run(session: AsyncSession, actor: Actor, run_id: UUID) -> None:
    """Delete an ended run with its results.

    Raises:
        RunNotFound: there is none.
        RunStillActive: it is going on.
        RunInUse: another run grades its answers again.
        RoleTooLow
    """
    await get_own_run(session, actor, run_id)
    run = await get_run(session, actor, run_id, lock=True)
    if run.status.is_active:
        raise RunStillActive
    other = await session.scalar(
        select(EvalRun.id).where(EvalRun.rescored_from_id == run.id).limit(1)
    )
    if other is not None:
        raise RunInUse(f"The answers of this run are graded again by {other}; delete that first.")
    await session.delete(run)
    await session.flush()
    record_run(session, actor, "run.deleted", run)


async def get_own_run(session: AsyncSession, actor: Actor, run_id: UUID) -> EvalRun:
    """A run that the actor may change.

    Raises:
        RunNotFound: there is none.
        RoleTooLow: they only see it.
    """
    run = await get_run(session, actor, run_id)
    project = select(EvalRun.project_id).where(EvalRun.id == run_id)
    await authorize(session, actor, Role.editor, project, RunNotFound())
    return run


def record_run(session: AsyncSession, actor: Actor, action: str, run: EvalRun) -> None:
    """Record that the actor did `action` to a run."""
    details = {"name": run.name, "status": run.status, "progress": run.progress}
    record(session, actor, Change(Topic.runs, action, run.id, run.project_id, details))


async def enqueue_plan(session: AsyncSession, actor: Actor, run: EvalRun) -> None:
    """Enqueue the job that plans the run, or goes on with it."""
    [job] = await enqueue(session, actor, NewJob(PLAN_JOB, {"eval_run_id": str(run.id)}))
    run.job_id = job.id
    await session.flush()
