"""The job of a decision: what people said completes the cell that waited for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import driver_connection
from assay.jobs.handler import RunningJob
from assay.playground.datasets.items.history import content_in
from assay.playground.datasets.models import DatasetItem
from assay.playground.runs.cells import decided_row
from assay.playground.runs.models import EvalRun
from assay.playground.runs.rows import ResultRow
from assay.playground.runs.shards import end_when_done
from assay.playground.runs.specification import (
    Cell,
    Item,
    RunSpecification,
    load_specification,
)
from assay.playground.runs.waiting.models import WaitingCell
from assay.playground.runs.waiting.outcomes import finding_of
from assay.playground.runs.waiting.payload import from_payload
from assay.playground.runs.writer import store_result


@dataclass(frozen=True, slots=True)
class _Attempt:
    job_id: UUID
    attempt: int


async def complete_cell(job: RunningJob) -> None:
    """Keep what people said; with the last answer of a cell, store its result.

    A cell that is gone is one of a run that has ended or was deleted, and nothing is done.
    """
    waiting = await keep_answer(job)
    if waiting is None:
        return
    async with job.database.session() as session:
        specification = await load_specification(session, waiting.eval_run_id)
        cell = await _cell(session, specification, waiting) if specification else None
    if specification is None or cell is None:
        return
    row = await _graded(job, specification, waiting, cell)
    async with job.database.session() as session:
        await job.hold(session)
        await _store(session, specification, waiting, row)
        await job.complete(session)


async def keep_answer(job: RunningJob) -> WaitingCell | None:
    """Keep what came of one request; the cell where that was the last one, else `None`."""
    request_id = job.params["request_id"]
    async with job.database.session() as session:
        await job.hold(session)
        waiting = await session.get(
            WaitingCell, UUID(job.params["waiting_cell_id"]), with_for_update=True
        )
        if waiting is None or request_id not in waiting.questions:
            return None
        told = ("status", "response", "decided_by", "answers")
        outcome = {name: job.params[name] for name in told}
        waiting.answers = {**waiting.answers, request_id: outcome}
        return waiting if waiting.answers.keys() == waiting.questions.keys() else None


async def _cell(
    session: AsyncSession, specification: RunSpecification, waiting: WaitingCell
) -> Cell | None:
    held = content_in(specification.dataset_version)
    row = (
        await session.execute(
            select(
                DatasetItem.id, held["input"], held["expected_output"], held["assertions"]
            ).where(DatasetItem.id == waiting.dataset_item_id)
        )
    ).one_or_none()
    if row is None:
        return None
    [choice] = [each for each in specification.models if each.model_id == waiting.model_id]
    return Cell(Item(*row), choice, waiting.repetition)


async def _graded(
    job: RunningJob, specification: RunSpecification, waiting: WaitingCell, cell: Cell
) -> ResultRow:
    answered, findings = from_payload(waiting.payload, cell)
    for request_id, outcome in waiting.answers.items():
        findings[bytes.fromhex(waiting.questions[request_id])] = finding_of(outcome)
    return await decided_row(_Attempt(job.id, job.attempt), specification, answered, findings)


async def _store(
    session: AsyncSession, specification: RunSpecification, waiting: WaitingCell, row: ResultRow
) -> None:
    """Put the result in the place of the waiting cell, and end the run if it was the last."""
    run_id = specification.run_id
    # Everywhere a run is locked before its cells, or two would wait for each other.
    run = await session.get(EvalRun, run_id, with_for_update={"key_share": True})
    if run is None or not run.status.is_active:
        return
    gone = delete(WaitingCell).where(WaitingCell.id == waiting.id).returning(WaitingCell.id)
    if await session.scalar(gone) is None:
        return
    # What it has cost was counted when it began to wait, and is counted again with the result.
    paid = _paid(waiting.payload)
    await session.execute(
        update(EvalRun)
        .where(EvalRun.id == run_id)
        .values(waiting=EvalRun.waiting - 1, cost=EvalRun.cost - paid)
    )
    configs = {choice.model_id: choice.config for choice in specification.models}
    await store_result(await driver_connection(session), run_id, configs, row)
    await end_when_done(session, run_id)


def _paid(payload: Mapping[str, Any]) -> float:
    return payload["paid"] or 0.0


async def run_of_cell(session: AsyncSession, job: RunningJob) -> UUID | None:
    """The run whose cell a job is about; `None` where the cell is gone."""
    cell_id = UUID(job.params["waiting_cell_id"])
    run_id: UUID | None = await session.scalar(
        select(WaitingCell.eval_run_id).where(WaitingCell.id == cell_id)
    )
    return run_id
