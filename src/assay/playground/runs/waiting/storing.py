"""Cells begin to wait for people, and stop waiting when their run ends before them."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete as delete_from
from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database, to_json
from assay.core.errors import AssayError
from assay.core.ids import new_id
from assay.grading.questions import Finding
from assay.identity.actor import Actor
from assay.jobs.service import LostJob, NewJob, hold_and_move_on
from assay.playground.runs.cells import decided_row
from assay.playground.runs.models import EvalRun, EvalRunShard, RunStatus
from assay.playground.runs.people import CellQuestion, People
from assay.playground.runs.rows import ResultRow, WaitingRow
from assay.playground.runs.specification import RunSpecification
from assay.playground.runs.titles import shortened
from assay.playground.runs.waiting.models import WaitingCell
from assay.playground.runs.waiting.payload import to_payload

ANSWERED_JOB = "eval-run.answered"
# Characters of JSON of each part of a cell that people are shown; what is longer is cut.
LONGEST_SHOWN = 200_000


async def keep_waiting(
    database: Database, people: People, specification: RunSpecification, row: WaitingRow
) -> ResultRow | None:
    """Store a cell that waits and ask people, in one transaction; nothing where that was done.

    Gives the result of the cell where people cannot be asked.

    Raises:
        LostJob: the job is another attempt's, or the run has ended.
    """
    try:
        async with database.session() as session:
            await _keep(session, people, specification, row)
    except LostJob:
        raise
    except IntegrityError:
        # The run is gone, or the item with its dataset.
        raise LostJob from None
    except AssayError as error:
        found = Finding(None, error=f"Nobody could be asked: {_reasons(error)}")
        findings = {**row.findings, **dict.fromkeys((each.key for each in row.questions), found)}
        return await decided_row(row.holder, specification, row.answered, findings)
    return None


async def _keep(
    session: AsyncSession, people: People, specification: RunSpecification, row: WaitingRow
) -> None:
    await hold_and_move_on(session, row.holder.job_id, row.holder.attempt)
    cell, cell_id = row.answered.cell, new_id()
    new = insert(WaitingCell).values(
        id=cell_id,
        eval_run_id=specification.run_id,
        dataset_item_id=cell.item.id,
        model_id=cell.choice.model_id,
        repetition=cell.repetition,
        payload=to_payload(row),
        questions={},
        answers={},
    )
    stored = new.on_conflict_do_nothing(constraint="uq_waiting_cells_cell")
    if await session.scalar(stored.returning(WaitingCell.id)) is None:
        return
    asked = [_question(specification, row, cell_id, number) for number in range(len(row.questions))]
    request_ids = await people.ask(session, specification.actor, asked)
    keys = {str(i): q.key.hex() for i, q in zip(request_ids, row.questions, strict=True)}
    this = WaitingCell.id == cell_id
    await session.execute(update(WaitingCell).where(this).values(questions=keys))
    # Last, because whoever stores results of the run waits for this row until the commit.
    counted = await session.scalar(
        update(EvalRun)
        .where(EvalRun.id == specification.run_id, EvalRun.status == RunStatus.running)
        .values(waiting=EvalRun.waiting + 1, cost=EvalRun.cost + (row.cost or 0.0))
        .returning(EvalRun.id)
    )
    if counted is None:
        raise LostJob


def _question(
    specification: RunSpecification, row: WaitingRow, cell_id: UUID, number: int
) -> CellQuestion:
    cell, answer = row.answered.cell, row.answered.answer
    shown = {
        "input": _shown(cell.item.input),
        "output": _shown(answer.output),
        "expected_output": _shown(cell.item.expected_output),
        "model": cell.choice.model_id,
        "run": {"id": str(specification.run_id), "name": specification.name},
    }
    about = {
        "run_id": str(specification.run_id),
        "item_id": str(cell.item.id),
        "model_id": cell.choice.model_id,
        "repetition": cell.repetition,
    }
    wakes = NewJob(ANSWERED_JOB, {"waiting_cell_id": str(cell_id)})
    return CellQuestion(row.questions[number], shown, about, specification.project_id, wakes)


def _shown(value: Any) -> Any:
    """A value as people see it: whole, or its text where it is too long for that."""
    written = to_json(value)
    if len(written) <= LONGEST_SHOWN:
        return value
    cut = (value if isinstance(value, str) else written)[:LONGEST_SHOWN]
    # Written as JSON, a character can take six.
    while len(to_json(cut)) > LONGEST_SHOWN:
        cut = cut[: len(cut) * 9 // 10]
    return f"{cut}…"


def _reasons(error: AssayError) -> str:
    faults = " ".join(fault.message.rstrip(".") + "." for fault in error.errors)
    return shortened(faults or str(error), 1000)


async def count_waiting(session: AsyncSession, run: EvalRun) -> None:
    """Count the cells of a run that wait."""
    mine = WaitingCell.eval_run_id == run.id
    run.waiting = await session.scalar(select(func.count()).where(mine)) or 0


async def stop_waiting(
    session: AsyncSession, people: People, actor: Actor, run: EvalRun, reason: str
) -> None:
    """Withdraw what people were asked for a run, and open the cells that waited.

    Args:
        session: in whose transaction the run, which is held, ends.
        people: who were asked.
        actor: on whose behalf.
        run: whose cells are not to wait any more.
        reason: why, for the people who were asked.
    """
    if not run.waiting:
        return
    mine = WaitingCell.eval_run_id == run.id
    within = WaitingCell.dataset_item_id.between(
        EvalRunShard.first_item_id, EvalRunShard.last_item_id
    )
    await session.execute(
        update(EvalRunShard)
        .where(EvalRunShard.eval_run_id == run.id, exists(select(1).where(mine, within)))
        .values(completed_at=None)
    )
    asked = await session.scalars(
        delete_from(WaitingCell).where(mine).returning(WaitingCell.questions)
    )
    request_ids = [UUID(each) for questions in asked.all() for each in questions]
    run.waiting = 0
    await session.flush()
    await people.withdraw(session, actor, request_ids, reason)


Place = tuple[UUID, str, int]
"""A cell within a run: item, model and repetition."""


async def waiting_places(session: AsyncSession, shard: EvalRunShard) -> set[Place]:
    """The cells of a shard that wait for people."""
    rows = await session.execute(
        select(WaitingCell.dataset_item_id, WaitingCell.model_id, WaitingCell.repetition).where(
            WaitingCell.eval_run_id == shard.eval_run_id,
            WaitingCell.dataset_item_id.between(shard.first_item_id, shard.last_item_id),
        )
    )
    return {(item_id, model_id, repetition) for item_id, model_id, repetition in rows}
