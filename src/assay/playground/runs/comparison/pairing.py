"""Which results of two runs belong together: pairs of items, as one query."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Double, TextualSelect, Uuid, and_, text

from assay.playground.runs.models import EvalRun, PassWhen
from assay.playground.runs.specification import model_id

# Mean scores that miss a threshold by rounding alone have reached it.
_TOLERANCE = 1e-9

# An item of a run with a model: whether it passed over its repetitions, and its figures. An item
# that does not have all of its repetitions yet is left out.
_SIDE = """
    SELECT dataset_item_id AS item_id, {passed} AS passed, avg(score) AS score,
        sum(cost) AS cost, avg(latency_ms) AS latency_ms
    FROM playground.eval_results
    WHERE eval_run_id = :{side}_run AND model_id = :{side}_model
    GROUP BY dataset_item_id
    HAVING count(*) = CAST(:{side}_repeat AS int)
"""
_PASSED = {
    PassWhen.any: "bool_or(passed)",
    PassWhen.all: "bool_and(passed)",
    PassWhen.mean: "2 * count(*) FILTER (WHERE passed) >= count(*)",
}
_REACHED = "avg(score) >= CAST(:{side}_bar AS float8)"

# Items whose content changed between the two versions of the dataset are not the same test.
_PAIRS = """
    SELECT item_id, before.passed AS before, after.passed AS after,
        before.score AS score_before, after.score AS score_after,
        before.cost AS cost_before, after.cost AS cost_after,
        before.latency_ms AS latency_before, after.latency_ms AS latency_after,
        item_id IN (
            SELECT id FROM playground.dataset_items
            WHERE :low < :high AND dataset_id = :dataset_id
                AND changed_in > :low AND changed_in <= :high
            UNION ALL
            SELECT revision.item_id FROM playground.dataset_item_revisions AS revision
            JOIN playground.dataset_items AS item ON item.id = revision.item_id
            WHERE :low < :high AND item.dataset_id = :dataset_id
                AND revision.to_version > :low AND revision.to_version <= :high
        ) AS changed
    FROM ({before}) AS before FULL JOIN ({after}) AS after USING (item_id)
"""
_COLUMNS: dict[str, Any] = {
    "item_id": Uuid(),
    "before": Boolean(),
    "after": Boolean(),
    "changed": Boolean(),
    **{
        f"{figure}_{side}": Double()
        for figure in ("score", "cost", "latency")
        for side in ("before", "after")
    },
}


@dataclass(frozen=True, slots=True)
class Side:
    """A run with one of its models, by the model's id in the run's results."""

    run: EvalRun
    model: str


def model_names(run: EvalRun) -> list[str]:
    """The ids of a run's models in its results."""
    return [model_id(entry) for entry in run.models]


def graded_alike(one: EvalRun, other: EvalRun) -> bool:
    """Whether two runs have the same assertions, the dataset's too, and rule for passing."""
    return _rules(one) == _rules(other)


def _rules(run: EvalRun) -> tuple[Any, ...]:
    assertions = [*(run.dataset_assertions or ()), *run.assertions]
    return assertions, run.pass_when, run.threshold, run.judge


def items_of(side: Side) -> TextualSelect:
    """Selects the items of one side: item_id, passed, score, cost in USD, latency_ms."""
    query = text(_side_query(side, "one")).bindparams(**_values(side, "one"))
    return query.columns(item_id=Uuid, passed=Boolean, score=Double, cost=Double, latency_ms=Double)


def pairs_of(before: Side, after: Side) -> TextualSelect:
    """Selects every item that either side has, with what both made of it.

    Its columns are `item_id`; `before` and `after`, whether it passed, null where that side does
    not have it; `score_before` and so on; and `changed`, whether its content differs.
    """
    versions = (before.run.dataset_version, after.run.dataset_version)
    query = _PAIRS.replace("{before}", _side_query(before, "before"))
    query = query.replace("{after}", _side_query(after, "after"))
    values = {
        **_values(before, "before"),
        **_values(after, "after"),
        "low": min(versions),
        "high": max(versions),
        "dataset_id": before.run.dataset_id,
    }
    return text(query).bindparams(**values).columns(**_COLUMNS)


def paired(pair: Any) -> ColumnElement[bool]:
    """Whether both sides have the item, as the same test; `pair` is `pairs_of` in a query."""
    both = and_(pair.c.before.is_not(None), pair.c.after.is_not(None))
    return and_(both, pair.c.changed.is_(False))


def _side_query(side: Side, name: str) -> str:
    passed = _PASSED[side.run.pass_when]
    if side.run.pass_when is PassWhen.mean and side.run.threshold is not None:
        passed = _REACHED
    return _SIDE.replace("{passed}", passed).replace("{side}", name)


def _values(side: Side, name: str) -> dict[str, Any]:
    values = {"run": side.run.id, "model": side.model, "repeat": side.run.repeat}
    if side.run.pass_when is PassWhen.mean and side.run.threshold is not None:
        values["bar"] = side.run.threshold - _TOLERANCE
    return {f"{name}_{key}": value for key, value in values.items()}
