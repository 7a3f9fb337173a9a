"""How a run goes on: where it stopped, or with its failures once more."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import Conflict, FieldFault, Invalid
from assay.gateway.cache import CacheMode
from assay.gateway.service import Gateway
from assay.gateway.types import Usage
from assay.identity.actor import Actor
from assay.playground.runs.budget import used_up
from assay.playground.runs.judges import check_judges
from assay.playground.runs.models import EvalResult, EvalRun, EvalRunShard, RunStatus
from assay.playground.runs.schemas import EvalRunRerun, EvalRunResume, RerunWhat
from assay.playground.runs.service import (
    RunStillActive,
    enqueue_plan,
    get_own_run,
    get_run,
    record_run,
)
from assay.playground.runs.shards import release_shards


class RunNotResumable(Conflict):
    """Only a run that was canceled or has failed can be resumed."""


class BudgetUsedUp(Conflict):
    """The run has spent its budget; give a higher max_cost."""


class NothingToRerun(Conflict):
    """No cell of the run is to be asked again."""


async def resume_run(
    session: AsyncSession,
    actor: Actor,
    gateway: Gateway,
    run_id: UUID,
    change: EvalRunResume | None = None,
) -> EvalRun:
    """Go on with a run that was canceled or has failed; only cells without a result are asked.

    Raises:
        RunNotFound: there is none.
        RunNotResumable: it is going on or is complete.
        BudgetUsedUp: it has spent its budget, and gets no higher one.
        Invalid: it gets a budget, and has a model without a known price.
        RoleTooLow
    """
    await get_own_run(session, actor, run_id)
    run = await get_run(session, actor, run_id, lock=True)
    if run.status not in (RunStatus.canceled, RunStatus.failed):
        raise RunNotResumable(
            f"Only a run that was canceled or has failed can be resumed; this one is {run.status}."
        )
    await _set_budget(session, gateway, run, change or EvalRunResume())
    await _go_on(session, actor, run)
    record_run(session, actor, "run.resumed", run)
    return run


async def rerun_failed(
    session: AsyncSession, actor: Actor, gateway: Gateway, run_id: UUID, wanted: EvalRunRerun
) -> EvalRun:
    """Ask cells of an ended run again that failed, and whatever has no result yet.

    What they have cost stays in the run's cost.

    Raises:
        RunNotFound: there is none.
        RunStillActive: it is going on.
        NothingToRerun: it has no such cell.
        BudgetUsedUp, Invalid: as `resume_run`.
        RoleTooLow
    """
    await get_own_run(session, actor, run_id)
    run = await get_run(session, actor, run_id, lock=True)
    if run.status.is_active:
        raise RunStillActive
    await _set_budget(session, gateway, run, wanted)
    await _forget_results(session, run, wanted.what)
    if wanted.what is RerunWhat.failed and run.cache is CacheMode.on:
        # From the cache they would all fail again.
        run.cache = CacheMode.refresh
    await _go_on(session, actor, run)
    record_run(session, actor, "run.rerun", run)
    return run


async def _set_budget(
    session: AsyncSession, gateway: Gateway, run: EvalRun, change: EvalRunResume
) -> None:
    if "max_cost" in change.model_fields_set:
        if change.max_cost is not None:
            await require_prices(gateway, [entry["model"] for entry in run.models])
            await check_judges(
                session, gateway, run.dataset_id, run.assertions, run.judge, priced=True
            )
        run.max_cost = change.max_cost
    if used_up(run):
        raise BudgetUsedUp(
            f"The run has spent {run.cost:.6g} USD, and its budget is {run.max_cost:g}; give a "
            "max_cost above what it has spent."
        )


async def require_prices(gateway: Gateway, models: list[str]) -> None:
    """Refuse a budget for models whose cost nobody would know.

    Raises:
        Invalid: naming the models.
    """
    once = Usage(1, 1)
    unpriced = [name for name in models if (await gateway.rate(name))(once) is None]
    if unpriced:
        raise Invalid(
            "Without a known price a budget cannot be kept, and there is none for "
            f"{', '.join(unpriced)}.",
            errors=[FieldFault("body.max_cost", "only for models with a known price")],
        )


async def _go_on(session: AsyncSession, actor: Actor, run: EvalRun) -> None:
    run.status = RunStatus.pending
    run.error_message = None
    run.completed_at = None
    run.summary = None
    await release_shards(session, run.id)
    await enqueue_plan(session, actor, run)


async def _forget_results(session: AsyncSession, run: EvalRun, what: RerunWhat) -> None:
    """Delete results, take them out of the counts, and open the shards that they are in."""
    failed = _failed(run, what)
    within = EvalResult.dataset_item_id.between(
        EvalRunShard.first_item_id, EvalRunShard.last_item_id
    )
    await session.execute(
        update(EvalRunShard)
        .where(EvalRunShard.eval_run_id == run.id, exists(select(1).where(failed, within)))
        .values(completed_at=None)
    )
    gone = delete(EvalResult).where(failed).returning(EvalResult.error).cte("gone")
    counted = select(func.count(), func.count(gone.c.error)).select_from(gone)
    cells, errors = (await session.execute(counted)).one()
    if not cells:
        raise NothingToRerun(
            "No cell of the run ended in an error."
            if what is RerunWhat.errors
            else "Every cell of the run that has a result passed."
        )
    run.completed -= cells
    run.errors -= errors
    run.failed -= cells - errors


def _failed(run: EvalRun, what: RerunWhat) -> ColumnElement[bool]:
    failed: ColumnElement[bool] = EvalResult.error.is_not(None)
    if what is RerunWhat.failed:
        failed = or_(failed, EvalResult.passed.is_(False))
    return and_(EvalResult.eval_run_id == run.id, failed)
