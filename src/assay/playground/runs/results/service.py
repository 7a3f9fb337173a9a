"""Queries of results: pages by filter and order, and the summary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Select,
    SmallInteger,
    Subquery,
    Text,
    Uuid,
    and_,
    column,
    exists,
    func,
    literal_column,
    not_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.sql import cast

from assay.core.pagination import Key, Page
from assay.identity.actor import Actor
from assay.playground.runs.models import EvalResult
from assay.playground.runs.service import get_run
from assay.playground.runs.summary import summarize

# Cells that a search looks at for one page. It reads every output, so this is what bounds the
# time of a request; where it is not enough to fill the page, the next one goes on behind them.
LOOKED_AT = 1000

CELL = (EvalResult.dataset_item_id, EvalResult.model_id, EvalResult.repetition)


class ResultSort(StrEnum):
    """What results are sorted by; those without it count as less than any other."""

    item = "item"
    score = "score"
    cost = "cost"
    latency = "latency"


class Order(StrEnum):
    """The smallest first, or the largest."""

    asc = "asc"
    desc = "desc"


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results are wanted; `None` where it does not matter.

    Attributes:
        model: only those of this model.
        passed: only those that passed, or did not.
        error: only those that ended in an error, or did not.
        failed_assertion: only those in which an assertion of this metric or type failed.
        search: only those with this text in the output, in any case.
        item_id: only those of this item.
        repetition: only those of this repetition, from 0.
    """

    model: str | None = None
    passed: bool | None = None
    error: bool | None = None
    failed_assertion: str | None = None
    search: str | None = None
    item_id: UUID | None = None
    repetition: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What indexes can answer, so all but the search."""
        found: list[ColumnElement[bool]] = []
        if self.model is not None:
            found.append(EvalResult.model_id == self.model)
        if self.passed is not None:
            found.append(and_(EvalResult.passed) if self.passed else not_(EvalResult.passed))
        if self.error:
            found.append(EvalResult.error.is_not(None))
        elif self.error is not None:
            found.append(~_has_error())
        if self.failed_assertion is not None:
            # No cell passes with a failed assertion, and few fail.
            found.append(not_(EvalResult.passed))
        if self.item_id is not None:
            found.append(EvalResult.dataset_item_id == self.item_id)
        if self.repetition is not None:
            found.append(EvalResult.repetition == self.repetition)
        return found

    def sieve(self) -> ColumnElement[bool] | None:
        """What takes a look into each result."""
        looked_for: list[ColumnElement[bool]] = []
        if self.search is not None:
            looked_for.append(EvalResult.output.icontains(self.search, autoescape=True))
        if self.failed_assertion is not None:
            looked_for.append(EvalResult.failed_assertions.contains([self.failed_assertion]))
        return and_(*looked_for) if looked_for else None


def _has_error() -> ColumnElement[bool]:
    # Not `error IS NULL`: that is in no index, and nearly all results would be read for it.
    other = aliased(EvalResult)
    return exists(
        select(1).where(
            other.eval_run_id == EvalResult.eval_run_id,
            other.dataset_item_id == EvalResult.dataset_item_id,
            other.model_id == EvalResult.model_id,
            other.repetition == EvalResult.repetition,
            other.error.is_not(None),
        )
    )


async def list_results(
    session: AsyncSession,
    actor: Actor,
    page: Page,
    run_id: UUID,
    wanted: ResultFilter = ResultFilter(),  # frozen
    sort: ResultSort = ResultSort.item,
    order: Order = Order.asc,
) -> Sequence[EvalResult]:
    """Results of a run; with a search a page can be short, and go on all the same.

    Raises:
        RunNotFound: there is none.
    """
    await get_run(session, actor, run_id)
    descending = order is Order.desc
    keys = [*SORTS[sort], *CELL]
    # Only what is in the index, so that no result is read which is not on the page.
    statement = select(*CELL).where(EvalResult.eval_run_id == run_id, *wanted.conditions())
    condition = wanted.sieve()
    if condition is None:
        cells = await page.fetch(session, statement, *keys, descending=descending)
    else:
        cells = await page.sift(
            session,
            statement,
            *keys,
            sieve=_sieve(run_id, condition),
            at_most=LOOKED_AT,
            descending=descending,
        )
    return await _results(session, run_id, cells)


def _known(column: InstrumentedAttribute[float | None]) -> Key:
    """The values of a column with a number in place of null, as it is in its index."""
    return func.coalesce(column, literal_column("-1"), type_=Double)


SORTS: dict[ResultSort, Sequence[Key]] = {
    ResultSort.item: (),
    ResultSort.score: (EvalResult.score,),
    ResultSort.cost: (_known(EvalResult.cost),),
    ResultSort.latency: (_known(EvalResult.latency_ms),),
}


def _sieve(
    run_id: UUID, condition: ColumnElement[bool]
) -> Callable[[Select[*tuple[Any, ...]], Subquery], Select[*tuple[Any, ...]]]:
    def sieve(statement: Select[*tuple[Any, ...]], lot: Subquery) -> Select[*tuple[Any, ...]]:
        cell = and_(
            EvalResult.eval_run_id == run_id,
            EvalResult.dataset_item_id == lot.c.dataset_item_id,
            EvalResult.model_id == lot.c.model_id,
            EvalResult.repetition == lot.c.repetition,
        )
        return statement.join(EvalResult, cell).where(condition)

    return sieve


async def _results(
    session: AsyncSession, run_id: UUID, cells: Sequence[tuple[UUID, str, int]]
) -> Sequence[EvalResult]:
    """The results of these cells, in this order."""
    if not cells:
        return []
    items, models, repetitions = (list(part) for part in zip(*cells, strict=True))
    wanted = func.unnest(
        cast(items, ARRAY(Uuid)), cast(models, ARRAY(Text)), cast(repetitions, ARRAY(SmallInteger))
    ).table_valued(
        column("item_id", Uuid), column("model_id", Text), column("repetition", SmallInteger),
        with_ordinality="place",
    ).render_derived("wanted")  # fmt: skip
    found = await session.scalars(
        select(EvalResult)
        .select_from(wanted)
        .join(
            EvalResult,
            and_(
                EvalResult.eval_run_id == run_id,
                EvalResult.dataset_item_id == wanted.c.item_id,
                EvalResult.model_id == wanted.c.model_id,
                EvalResult.repetition == wanted.c.repetition,
            ),
        )
        .order_by(wanted.c.place)
    )
    return found.all()


async def get_summary(session: AsyncSession, actor: Actor, run_id: UUID) -> dict[str, Any]:
    """The summary of a run: the stored one, or of what is there so far.

    Raises:
        RunNotFound: there is none.
    """
    run = await get_run(session, actor, run_id)
    return run.summary or await summarize(session, run)
