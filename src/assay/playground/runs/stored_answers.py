"""Cells whose answers are stored with another run: graded again, without asking a model."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import to_json
from assay.grading.results import Answer
from assay.playground.runs.cells import failed_row, grade_cell
from assay.playground.runs.judging import Judging
from assay.playground.runs.models import EvalResult, EvalRunShard
from assay.playground.runs.rows import AnsweredCell, Holder, ResultRow, WaitingRow
from assay.playground.runs.specification import Cell, RunSpecification

NO_ANSWER = "not_answered: the run whose answers are graded has no result for this cell"


async def with_stored_answers(
    session: AsyncSession, run_id: UUID, shard: EvalRunShard, cells: Sequence[Cell]
) -> list[Cell]:
    """The cells of a shard, each with its result in the run `run_id` where there is one."""
    results = await session.scalars(
        select(EvalResult).where(
            EvalResult.eval_run_id == run_id,
            EvalResult.dataset_item_id.between(shard.first_item_id, shard.last_item_id),
        )
    )
    found = {(each.dataset_item_id, each.model_id, each.repetition): each for each in results}
    return [
        cell._replace(stored=found.get((cell.item.id, cell.choice.model_id, cell.repetition)))
        for cell in cells
    ]


async def regrade_cell(
    holder: Holder, specification: RunSpecification, cell: Cell, judging: Judging
) -> ResultRow | WaitingRow:
    """The result of a cell with the stored answer, or what waits; without one it is an error."""
    await asyncio.sleep(0)  # many cells in a row must not keep the event loop to themselves
    stored = cell.stored
    if stored is None:
        return failed_row(holder, cell, None, NO_ANSWER, attempts=0)
    request = None if stored.request is None else to_json(stored.request)
    if stored.output is None:
        return failed_row(holder, cell, request, stored.error or NO_ANSWER, attempts=0)
    before = dict(stored.metrics or {})
    before.pop("judge_cost", None)  # of other judges
    # Of an answer from the cache, or graded again before, the first cost is kept apart.
    original = before.get("original") or {
        "latency_ms": before.get("latency_ms"),
        "cost": before.get("cost"),
    }
    answer = Answer(
        stored.output,
        stored.latency_ms,
        original["cost"],
        [before["mean_logprob"]] if "mean_logprob" in before else None,
        messages=(stored.request or {}).get("messages", ()),
    )
    answered = AnsweredCell(
        cell,
        answer,
        request,
        None if stored.output_json is None else to_json(stored.output_json),
        {**before, "cost": 0.0, "attempts": 0, "original": original},
        0.0,
    )
    return await grade_cell(holder, specification, answered, judging)
