"""The grid of a run: a row for each item, and in it the cells of each model."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, not_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from assay.core.pagination import Page
from assay.identity.actor import Actor
from assay.playground.runs.models import EvalResult, EvalRun, PassWhen
from assay.playground.runs.service import get_run
from assay.playground.runs.specification import model_id

# Cells of one page at most: the grid of a hundred models has fewer items on it.
CELLS_OF_PAGE = 2000
CHARACTERS_SHOWN = 200


class MatrixShow(StrEnum):
    """Which items are wanted."""

    all = "all"
    disagreements = "disagreements"
    failures = "failures"


async def get_matrix(
    session: AsyncSession,
    actor: Actor,
    page: Page,
    run_id: UUID,
    show: MatrixShow = MatrixShow.all,
) -> list[dict[str, Any]]:
    """A page of the items of a run that have a result, with their cells by model.

    Raises:
        RunNotFound: there is none.
    """
    run = await get_run(session, actor, run_id)
    models = [model_id(entry) for entry in run.models]
    page.limit = min(page.limit, max(1, CELLS_OF_PAGE // max(1, len(models) * run.repeat)))
    items = _items(run, show)
    item_id = items.selected_columns[0]
    ids = await page.fetch(session, items, item_id, descending=False)
    cells = (await session.execute(_cells(run_id, ids))).mappings().all()
    rows: dict[UUID, dict[str, Any]] = {
        item: {"dataset_item_id": item, "models": {name: [] for name in models}} for item in ids
    }
    for cell in cells:
        rows[cell["dataset_item_id"]]["models"].setdefault(cell["model_id"], []).append(cell)
    return list(rows.values())


def _items(run: EvalRun, show: MatrixShow) -> Select[UUID]:
    """Selects the items. All of it is read off indexes, in the order of items."""
    items = _grouped(EvalResult.eval_run_id == run.id)
    if show is MatrixShow.failures:
        return items.where(not_(EvalResult.passed))
    if show is MatrixShow.disagreements:
        verdicts = _verdicts(run)
        passed = verdicts.c.passed
        return (
            select(verdicts.c.dataset_item_id)
            .group_by(verdicts.c.dataset_item_id)
            .having(and_(func.bool_or(passed), not_(func.bool_and(passed))))
        )
    return items


def _grouped(*conditions: ColumnElement[bool]) -> Select[UUID]:
    item_id = EvalResult.dataset_item_id
    return select(item_id).where(*conditions).group_by(item_id)


def _verdicts(run: EvalRun) -> Subquery:
    """Whether each item has passed with each model, by the run's `pass_when`."""
    mine = EvalResult.eval_run_id == run.id
    verdicts = (
        select(EvalResult.dataset_item_id, EvalResult.model_id, _has_passed(run).label("passed"))
        .where(mine)
        .group_by(EvalResult.dataset_item_id, EvalResult.model_id)
    )
    if run.threshold is None:
        # Items of which every cell passed need no look: few are left.
        failed = aliased(EvalResult)
        some = select(failed.dataset_item_id).where(
            failed.eval_run_id == run.id, not_(failed.passed)
        )
        verdicts = verdicts.where(EvalResult.dataset_item_id.in_(some))
    return verdicts.subquery("verdicts")


def _has_passed(run: EvalRun) -> ColumnElement[bool]:
    if run.pass_when is PassWhen.any:
        return func.bool_or(EvalResult.passed)
    if run.pass_when is PassWhen.all:
        return func.bool_and(EvalResult.passed)
    if run.threshold is not None:
        return func.avg(EvalResult.score) >= run.threshold - 1e-9
    return 2 * func.count().filter(EvalResult.passed) >= func.count()


def _cells(run_id: UUID, items: Sequence[UUID]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            EvalResult.dataset_item_id,
            EvalResult.model_id,
            EvalResult.repetition,
            EvalResult.id,
            EvalResult.passed,
            EvalResult.score,
            EvalResult.error.is_not(None).label("error"),
            EvalResult.latency_ms,
            EvalResult.cost,
            func.left(EvalResult.output, CHARACTERS_SHOWN).label("output"),
        )
        .where(EvalResult.eval_run_id == run_id, EvalResult.dataset_item_id.in_(items))
        .order_by(EvalResult.dataset_item_id, EvalResult.model_id, EvalResult.repetition)
    )
