"""The jobs of a run: plan it, work off its shards, and take in what people say of its answers."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.gateway.service import Gateway
from assay.jobs import service as jobs
from assay.jobs.handler import HandBack, JobHandler, RunningJob
from assay.playground.runs.budget import budget_message
from assay.playground.runs.execution import RunExecution, RunExecutions, ShardWork
from assay.playground.runs.models import EvalRun, EvalRunShard, RunStatus
from assay.playground.runs.people import People
from assay.playground.runs.shards import (
    CELLS_JOB,
    SHARDS_AHEAD,
    count_shards_left,
    cut_into_shards,
    end_run,
    end_shard,
    hand_out,
    open_cells,
    tell,
)
from assay.playground.runs.stored_answers import with_stored_answers
from assay.playground.runs.waiting.storing import ANSWERED_JOB, stop_waiting
from assay.playground.runs.waiting.tasks import complete_cell, run_of_cell

PLAN_JOB = "eval-run.plan"

BUDGET_REACHED = "The budget of the run is reached."
RUN_FAILED = "The run has failed."
"""What people are told who were asked."""


def run_handlers(gateway: Gateway, people: People, max_in_flight: int) -> Mapping[str, JobHandler]:
    """The handlers of a worker.

    Args:
        gateway: asks models.
        people: asks people.
        max_in_flight: cells of a run in flight in this worker at most.
    """
    executions = RunExecutions(gateway, people, max_in_flight)

    async def run_cells(job: RunningJob) -> None:
        with executions.opening() as opened:
            async with executions.join(job, _run_id(job)) as execution:
                work = await read_shard(job, execution) if execution else None
                if execution and work:
                    opened()
                    await work_shard(job, execution, work, people)

    async def fail(session: AsyncSession, job: RunningJob, message: str) -> None:
        await fail_run(session, job, people, _run_id(job), message)

    async def fail_answered(session: AsyncSession, job: RunningJob, message: str) -> None:
        if run_id := await run_of_cell(session, job):
            await fail_run(session, job, people, run_id, message)

    return {
        PLAN_JOB: JobHandler(plan_run, fail),
        CELLS_JOB: JobHandler(run_cells, fail, executions.has_room),
        ANSWERED_JOB: JobHandler(complete_cell, fail_answered),
    }


def _run_id(job: RunningJob) -> UUID:
    return UUID(job.params["eval_run_id"])


async def plan_run(job: RunningJob) -> None:
    """Cut the run into shards, unless that was done before, and hand out the first ones."""
    async with job.database.session() as session:
        await job.complete(session)
        run = await session.get(EvalRun, _run_id(job), with_for_update=True)
        if run is None or not run.status.is_active:
            return
        run.status = RunStatus.running
        run.started_at = run.started_at or await session.scalar(select(func.clock_timestamp()))
        if not await session.scalar(select(exists().where(EvalRunShard.eval_run_id == run.id))):
            await cut_into_shards(session, run)
        tell(session, run)
        await count_shards_left(session, run)
        # Of a run with a budget one worker has all there is, so that it knows what is spent.
        shards = SHARDS_AHEAD if run.max_cost is None else 1
        await hand_out(session, job.actor, run.id, job.id, shards=shards)


async def read_shard(job: RunningJob, execution: RunExecution) -> ShardWork | None:
    """The cells of a shard that have no result yet; `None` where the run has ended."""
    specification = execution.specification
    async with job.database.session() as session:
        run = await session.get(EvalRun, specification.run_id)
        shard = await session.get(EvalRunShard, (specification.run_id, job.params["shard"]))
        if run is None or shard is None or not run.status.is_active:
            return None
        specification.budget.limit = run.max_cost
        cells = await open_cells(session, specification, shard, run)
        if specification.rescored_from_id is not None:
            source = specification.rescored_from_id
            cells = await with_stored_answers(session, source, shard, cells)
    return ShardWork(job.id, job.attempt, cells)


async def work_shard(
    job: RunningJob, execution: RunExecution, work: ShardWork, people: People
) -> None:
    """Work off the cells of a shard, then end it."""
    stopper = asyncio.create_task(_stop_with(job.stopping, work))
    try:
        done = await execution.work(work)
    finally:
        stopper.cancel()
    run_id, parent_id = execution.specification.run_id, job.parent_id or job.id
    if not done:
        if not execution.specification.budget.reached:
            raise HandBack
        await stop_run(job, people, run_id)
        return
    async with job.database.session() as session:
        await job.complete(session)
        await end_shard(session, job.actor, run_id, job.params["shard"], parent_id)


async def stop_run(job: RunningJob, people: People, run_id: UUID) -> None:
    """End a run whose budget is reached; it can be resumed."""
    async with job.database.session() as session:
        await job.complete(session)
        run = await session.get(EvalRun, run_id, with_for_update=True)
        if run is not None and run.status.is_active:
            await stop_waiting(session, people, job.actor, run, BUDGET_REACHED)
            await end_run(session, run, RunStatus.canceled, budget_message(run))
            tell(session, run)


async def _stop_with(stopping: asyncio.Event, work: ShardWork) -> None:
    await stopping.wait()
    work.stop()


async def fail_run(
    session: AsyncSession, job: RunningJob, people: People, run_id: UUID, message: str
) -> None:
    """A job of the run failed for good, so the run has; what is stored stays."""
    run = await session.get(EvalRun, run_id)
    if run is None:
        return
    # Everywhere jobs are locked before their run, or two would wait for each other.
    if run.job_id is not None:
        await jobs.cancel_jobs(session, job.actor, parent_id=run.job_id)
    run = await session.get(EvalRun, run_id, with_for_update=True, populate_existing=True)
    if run is not None and run.status.is_active:
        await stop_waiting(session, people, job.actor, run, RUN_FAILED)
        await end_run(session, run, RunStatus.failed, message)
