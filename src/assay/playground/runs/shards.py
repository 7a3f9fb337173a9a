"""How a run is cut into shards, how they are handed to workers, and how the run ends."""

from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Integer,
    Uuid,
    and_,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from assay.events.models import Topic
from assay.events.service import publish
from assay.identity.actor import Actor
from assay.jobs.service import NewJob, enqueue
from assay.playground.datasets.items.history import content_in, present_in
from assay.playground.datasets.models import DatasetItem
from assay.playground.runs.models import EvalResult, EvalRun, EvalRunShard, RunStatus
from assay.playground.runs.specification import Cell, Item, RunSpecification
from assay.playground.runs.summary import summarize
from assay.playground.runs.waiting.storing import count_waiting, waiting_places

CELLS_JOB = "eval-run.cells"

# A shard has this many cells at most, fewer in small runs so that workers can share them.
MOST_CELLS = 500
FEWEST_CELLS = 100
SHARDS_OF_SMALL_RUN = 20

# Shards of one run that are with workers or waiting for one. More would let a slow run fill
# every worker; fewer would leave a worker without the next shard while the last one drains.
SHARDS_AHEAD = 12


async def cut_into_shards(session: AsyncSession, run: EvalRun) -> None:
    """Write the shards of a run over the items of its version of the dataset."""
    items = present_in(run.dataset_id, run.dataset_version)
    count = await session.scalar(select(func.count()).where(items)) or 0
    cells_of_item = len(run.models) * run.repeat
    run.total = count * cells_of_item
    wanted = min(max(run.total // SHARDS_OF_SMALL_RUN, FEWEST_CELLS), MOST_CELLS)
    per_shard = max(1, wanted // cells_of_item)
    position = func.row_number().over(order_by=DatasetItem.id) - 1
    # Of UUIDs there is no min() before PostgreSQL 18, so the ends are found by their position.
    numbered = (
        select(DatasetItem.id, position.label("position"), func.count().over().label("count"))
        .where(items)
        .subquery()
    )
    number = cast(func.floor(numbered.c.position / per_shard), Integer)
    ends = (
        select(number.label("number"), numbered.c.id, numbered.c.position)
        .where(
            or_(
                numbered.c.position % per_shard == 0,
                numbered.c.position % per_shard == per_shard - 1,
                numbered.c.position == numbered.c["count"] - 1,
            )
        )
        .subquery()
    )
    ordered = aggregate_order_by(ends.c.id, ends.c.position)
    backwards = aggregate_order_by(ends.c.id, ends.c.position.desc())
    await session.execute(
        insert(EvalRunShard).from_select(
            ["eval_run_id", "number", "first_item_id", "last_item_id"],
            select(
                literal(run.id),
                ends.c.number,
                type_coerce(func.array_agg(ordered), ARRAY(Uuid))[1],
                type_coerce(func.array_agg(backwards), ARRAY(Uuid))[1],
            ).group_by(ends.c.number),
        )
    )


async def hand_out(
    session: AsyncSession, actor: Actor, run_id: UUID, parent_id: UUID, *, shards: int
) -> None:
    """Enqueue the next `shards` shards of a run that nobody has yet."""
    waiting = (
        await session.scalars(
            select(EvalRunShard)
            .where(EvalRunShard.eval_run_id == run_id, EvalRunShard.job_id.is_(None))
            .order_by(EvalRunShard.number)
            .limit(shards)
            # Another shard that ends in this moment takes the one after.
            .with_for_update(skip_locked=True)
        )
    ).all()
    if not waiting:
        return
    jobs = await enqueue(
        session,
        actor,
        *(
            NewJob(
                CELLS_JOB,
                {"eval_run_id": str(run_id), "shard": shard.number},
                # Early shards first, so that a run which comes later is not kept waiting.
                priority=-shard.number,
                parent_id=parent_id,
            )
            for shard in waiting
        ),
    )
    for shard, job in zip(waiting, jobs, strict=True):
        shard.job_id = job.id
    await session.flush()


async def release_shards(session: AsyncSession, run_id: UUID) -> None:
    """Take unfinished shards back from their jobs, so that they can be handed out again."""
    await session.execute(
        update(EvalRunShard)
        .where(EvalRunShard.eval_run_id == run_id, EvalRunShard.completed_at.is_(None))
        .values(job_id=None)
    )


async def open_cells(
    session: AsyncSession, specification: RunSpecification, shard: EvalRunShard, run: EvalRun
) -> list[Cell]:
    """The cells of a shard that have no result and do not wait for people."""
    within = and_(
        present_in(run.dataset_id, run.dataset_version),
        DatasetItem.id.between(shard.first_item_id, shard.last_item_id),
    )
    held = content_in(run.dataset_version)
    rows = await session.execute(
        select(DatasetItem.id, held["input"], held["expected_output"], held["assertions"])
        .where(within)
        .order_by(DatasetItem.id)
    )
    items = [Item(*row) for row in rows]
    # First those that wait: a cell that gets its result in between is then among both, and not
    # among neither, which would ask its model and people again.
    waiting = await waiting_places(session, shard)
    stored = await session.execute(
        select(EvalResult.dataset_item_id, EvalResult.model_id, EvalResult.repetition).where(
            EvalResult.eval_run_id == shard.eval_run_id,
            EvalResult.dataset_item_id.between(shard.first_item_id, shard.last_item_id),
        )
    )
    done = waiting | {tuple(row) for row in stored}
    return [
        Cell(item, choice, repetition)
        for item in items
        for choice in specification.models
        for repetition in range(specification.repeat)
        if (item.id, choice.model_id, repetition) not in done
    ]


async def end_shard(
    session: AsyncSession, actor: Actor, run_id: UUID, number: int, parent_id: UUID
) -> None:
    """Mark a shard as done, hand out the next one, and end the run after the last.

    A run with cells that wait for people goes on until they have answered.
    """
    await session.execute(
        update(EvalRunShard)
        .where(EvalRunShard.eval_run_id == run_id, EvalRunShard.number == number)
        .values(completed_at=func.clock_timestamp())
    )
    await hand_out(session, actor, run_id, parent_id, shards=1)
    # Last, because whoever stores results of the run waits for this row until the commit.
    await session.execute(
        update(EvalRun)
        .where(EvalRun.id == run_id, EvalRun.status == RunStatus.running)
        .values(shards_left=EvalRun.shards_left - 1)
    )
    await end_when_done(session, run_id)


async def end_when_done(session: AsyncSession, run_id: UUID) -> None:
    """End a run, which is held, where no shard is left and no cell waits for people."""
    run = await session.get(EvalRun, run_id, populate_existing=True)
    if run is None:
        return
    if run.status is RunStatus.running and not run.shards_left and not run.waiting:
        await end_run(session, run, RunStatus.completed)


async def count_shards_left(session: AsyncSession, run: EvalRun) -> None:
    """Count what is left of a run, which is complete where that is nothing."""
    run.shards_left = (
        await session.scalar(
            select(func.count()).where(
                EvalRunShard.eval_run_id == run.id, EvalRunShard.completed_at.is_(None)
            )
        )
        or 0
    )
    await count_waiting(session, run)
    if not run.shards_left and not run.waiting:
        await end_run(session, run, RunStatus.completed)


async def end_run(
    session: AsyncSession, run: EvalRun, status: RunStatus, error_message: str | None = None
) -> None:
    """End a run as `status`, with the summary of what is stored."""
    run.status = status
    run.error_message = error_message
    run.completed_at = await session.scalar(select(func.clock_timestamp()))
    run.summary = await summarize(session, run)
    await session.flush()
    # Of a cancel its actor is told, where it is asked for.
    if status is not RunStatus.canceled:
        tell(session, run)


def tell(session: AsyncSession, run: EvalRun) -> None:
    """Tell readers of the feed where a run stands."""
    data = {
        "id": str(run.id),
        "project_id": str(run.project_id),
        "name": run.name,
        "status": run.status,
        "progress": run.progress,
    }
    publish(
        session, Topic.runs, f"run.{run.status}", data, subject=run.id, project_id=run.project_id
    )
