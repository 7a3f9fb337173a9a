"""The figures of two sides of a comparison, counted by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Double, Uuid, and_, func, select, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from assay.grading.comparison import Pairs
from assay.playground.runs.comparison.pairing import Side, items_of, paired, pairs_of


@dataclass(frozen=True, slots=True)
class Figures:
    """What one side came to over the pairs; latencies in milliseconds, costs in USD.

    `priced` and `measured` say how many items have a cost and a latency.
    """

    cost: float | None
    priced: int
    latency: float | None
    latency_mean: float | None
    latency_median: float | None
    measured: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Two sides, counted.

    Attributes:
        pairs: how the items that both have came out.
        only_before: items that only the side before has.
        only_after: items that only the side after has.
        changed: items of both that were changed in between, which are no pairs.
        before: figures of the side before.
        after: figures of the side after.
        scores_before: the score of each pair before, where asked for.
        scores_after: the score of each pair after, in the same order.
        worse: the first items that passed before and not after.
        better: the first items that passed after and not before.
    """

    pairs: Pairs
    only_before: int
    only_after: int
    changed: int
    before: Figures
    after: Figures
    scores_before: Sequence[float]
    scores_after: Sequence[float]
    worse: Sequence[UUID]
    better: Sequence[UUID]


async def measure(session: AsyncSession, before: Side, after: Side, shown: int) -> Measured:
    """Count two sides, in one statement.

    Args:
        session: the session.
        before: what is compared with.
        after: what is compared.
        shown: how many of the items that got better, and worse, to name.
    """
    pair = pairs_of(before, after).cte("pair")
    kept = paired(pair)
    worse, better = (
        and_(kept, pair.c.before, ~pair.c.after),
        and_(kept, pair.c.after, ~pair.c.before),
    )

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(condition)

    def first(condition: ColumnElement[bool]) -> ColumnElement[Any]:
        query = select(pair.c.item_id).where(condition).order_by(pair.c.item_id).limit(shown)
        found = query.subquery()
        ids = func.array_agg(aggregate_order_by(found.c.item_id, found.c.item_id))
        return select(type_coerce(ids, ARRAY(Uuid))).select_from(found).scalar_subquery()

    def scores(column: ColumnElement[Any]) -> ColumnElement[Any]:
        ordered = func.array_agg(aggregate_order_by(column, pair.c.item_id)).filter(kept)
        return type_coerce(ordered, ARRAY(Double))

    def figures(side: str) -> list[ColumnElement[Any]]:
        cost, latency = pair.c[f"cost_{side}"], pair.c[f"latency_{side}"]
        middle = func.percentile_cont(0.5).within_group(latency)
        return [
            func.sum(cost).filter(kept),
            func.count(cost).filter(kept),
            func.sum(latency).filter(kept),
            func.avg(latency).filter(kept),
            middle.filter(kept),
            func.count(latency).filter(kept),
        ]

    query = select(
        count(and_(kept, pair.c.before, pair.c.after)),
        count(worse),
        count(better),
        count(and_(kept, ~pair.c.before, ~pair.c.after)),
        count(pair.c.after.is_(None)),
        count(pair.c.before.is_(None)),
        count(and_(pair.c.changed, pair.c.before.is_not(None), pair.c.after.is_not(None))),
        *figures("before"),
        *figures("after"),
        scores(pair.c.score_before),
        scores(pair.c.score_after),
        first(worse),
        first(better),
    )
    row = tuple((await session.execute(query)).one())
    return Measured(
        pairs=Pairs(*row[:4]),
        only_before=row[4],
        only_after=row[5],
        changed=row[6],
        before=Figures(*row[7:13]),
        after=Figures(*row[13:19]),
        scores_before=row[19] or (),
        scores_after=row[20] or (),
        worse=row[21] or (),
        better=row[22] or (),
    )


async def count_passed(session: AsyncSession, side: Side) -> tuple[int, int]:
    """How many items of a run passed with a model, and how many there are."""
    items = items_of(side).subquery()
    query = select(func.count().filter(items.c.passed), func.count()).select_from(items)
    passed, total = (await session.execute(query)).one()
    return passed, total
