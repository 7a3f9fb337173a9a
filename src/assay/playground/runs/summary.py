"""What came out of a run, for each model and over all."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from assay.grading.bootstrap import mean_interval
from assay.grading.derived import compile_derived_metrics
from assay.grading.repetitions import pass_hat_k
from assay.grading.statistics import wilson_interval
from assay.playground.runs.models import EvalRun, PassWhen
from assay.playground.runs.specification import model_id

PERCENTILES = (0.5, 0.9, 0.95, 0.99)

# A model of NULL is the line over all models.
TOTALS = text("""
    WITH cell AS (
        SELECT model_id, passed, score, error, latency_ms, cost,
            CAST(metrics ->> 'tokens_in' AS bigint) AS tokens_in,
            CAST(metrics ->> 'tokens_out' AS bigint) AS tokens_out,
            CAST(metrics ->> 'cached' AS boolean) AS cached,
            -- Of a cell with judges one price can be known and the other not.
            metrics -> 'judge_cost' = 'null' OR metrics -> 'cost' = 'null' AS partly_unpriced
        FROM playground.eval_results
        WHERE eval_run_id = :run_id
    )
    SELECT model_id AS model,
        count(*) AS cells,
        count(*) FILTER (WHERE passed) AS passed,
        count(*) FILTER (WHERE error IS NOT NULL) AS errors,
        avg(score) AS mean_score,
        percentile_cont(CAST(:percentiles AS float8[])) WITHIN GROUP (ORDER BY latency_ms)
            AS latency,
        coalesce(sum(tokens_in), 0) AS tokens_in,
        coalesce(sum(tokens_out), 0) AS tokens_out,
        sum(cost) AS cost,
        count(*) FILTER (WHERE error IS NULL AND (cost IS NULL OR partly_unpriced)) AS unpriced,
        count(*) FILTER (WHERE cached) AS cached
    FROM cell
    GROUP BY GROUPING SETS ((model_id), ())
""")

# How many items passed how often and with which score, of those with all their repetitions.
# Scores are rounded, so that there are not as many lines as items.
ITEMS = text("""
    WITH item AS (
        SELECT model_id, count(*) FILTER (WHERE passed) AS passes, avg(score) AS score
        FROM playground.eval_results
        WHERE eval_run_id = :run_id
        GROUP BY dataset_item_id, model_id
        HAVING count(*) = :repeat
    )
    SELECT model_id AS model, passes, round(score * 1e4) / 1e4 AS score, count(*) AS items,
        count(*) FILTER (WHERE score >= CAST(:threshold AS float8) - 1e-9) AS reached
    FROM item
    GROUP BY model_id, passes, round(score * 1e4)
""")

ASSERTIONS = text("""
    WITH assertion AS (
        SELECT result.model_id, entry.place,
            coalesce(entry.value ->> 'metric', entry.value ->> 'type') AS name,
            entry.value ->> 'type' AS type,
            CAST(entry.value ->> 'passed' AS boolean) AS passed
        FROM playground.eval_results AS result,
            jsonb_array_elements(result.grading -> 'assertions')
                WITH ORDINALITY AS entry (value, place)
        WHERE result.eval_run_id = :run_id AND result.grading IS NOT NULL
    )
    SELECT model_id AS model, name, type, min(place) AS place,
        count(*) AS cells, count(*) FILTER (WHERE passed) AS passed
    FROM assertion
    GROUP BY GROUPING SETS ((model_id, name, type), (name, type))
    ORDER BY place, name
""")

METRICS = text("""
    SELECT result.model_id AS model, metric.key AS name,
        sum(CAST(metric.value AS float8)) AS total, avg(CAST(metric.value AS float8)) AS mean
    FROM playground.eval_results AS result, jsonb_each_text(result.grading -> 'metrics') AS metric
    WHERE result.eval_run_id = :run_id
    GROUP BY GROUPING SETS ((result.model_id, metric.key), (metric.key))
    ORDER BY metric.key
""")


async def summarize(session: AsyncSession, run: EvalRun) -> dict[str, Any]:
    """The summary of the results stored so far: `{"overall": {...}, "models": {name: {...}}}`.

    Each has cells, passed, failed, errors, the pass rate with its Wilson interval (95 %), the
    mean score, latency percentiles in milliseconds, tokens, cost in USD, and the pass rate of
    each assertion; and the items that passed with all their repetitions in view. A cell that
    ended in an error counts as not passed.
    """
    totals = await session.execute(TOTALS, {"run_id": run.id, "percentiles": list(PERCENTILES)})
    given = {"run_id": run.id, "repeat": run.repeat, "threshold": run.threshold}
    items = (await session.execute(ITEMS, given)).mappings().all()
    found = _Found(
        {row["model"]: row for row in totals.mappings()},
        {**_by_model(items), None: items},
        _by_model((await session.execute(ASSERTIONS, {"run_id": run.id})).mappings()),
        _by_model((await session.execute(METRICS, {"run_id": run.id})).mappings()),
    )
    names = [model_id(entry) for entry in run.models]
    # Intervals of scores are drawn at random, which takes a tenth of a second.
    overall, *models = await asyncio.to_thread(
        lambda: [_entry(run, found, name) for name in (None, *names)]
    )
    return {"overall": overall, "models": dict(zip(names, models, strict=True))}


ByModel = Mapping[str | None, Sequence[RowMapping]]


@dataclass(frozen=True, slots=True)
class _Found:
    """What was counted, for each model; under `None` over all."""

    totals: Mapping[str | None, RowMapping]
    items: ByModel
    assertions: ByModel
    metrics: ByModel


def _by_model(rows: Iterable[RowMapping]) -> ByModel:
    found: dict[str | None, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["model"]].append(row)
    return found


def _entry(run: EvalRun, found: _Found, model: str | None) -> dict[str, Any]:
    totals: Mapping[Any, Any] = found.totals.get(model, {})
    cells, passed = totals.get("cells", 0), totals.get("passed", 0)
    errors = totals.get("errors", 0)
    latency = totals.get("latency") or [None] * len(PERCENTILES)
    return {
        "cells": cells,
        "passed": passed,
        "failed": cells - passed - errors,
        "errors": errors,
        **_rate("pass_rate", passed, cells),
        "mean_score": totals.get("mean_score"),
        "mean_score_interval": _score_interval(found.items.get(model, ())),
        **_items(run, found.items.get(model, ())),
        "latency_ms": {
            f"p{round(quantile * 100)}": value
            for quantile, value in zip(PERCENTILES, latency, strict=True)
        },
        "tokens_in": int(totals.get("tokens_in") or 0),
        "tokens_out": int(totals.get("tokens_out") or 0),
        "cost": totals.get("cost"),
        "cells_without_price": totals.get("unpriced", 0),
        "cached": totals.get("cached", 0),
        "assertions": [
            {
                "name": row["name"],
                "type": row["type"],
                "cells": row["cells"],
                "passed": row["passed"],
                "pass_rate": row["passed"] / row["cells"],
            }
            for row in found.assertions.get(model, ())
        ],
        "metrics": {row["name"]: row["mean"] for row in found.metrics.get(model, ())},
        "derived_metrics": _derived(run, found.metrics.get(model, ()), cells),
    }


def _items(run: EvalRun, rows: Sequence[RowMapping]) -> dict[str, Any]:
    items = sum(row["items"] for row in rows)
    passed = sum(_passed_items(run, row) for row in rows)
    chances = [
        sum(row["items"] * pass_hat_k(row["passes"], run.repeat, k) for row in rows) / items
        for k in range(1, run.repeat + 1)
        if items
    ]
    return {
        "items": items,
        "items_passed": passed,
        **_rate("item_pass_rate", passed, items),
        "pass_hat_k": chances,
    }


def _passed_items(run: EvalRun, row: RowMapping) -> int:
    """Of items that passed equally often, how many have passed."""
    if run.pass_when is PassWhen.any:
        enough = row["passes"] > 0
    elif run.pass_when is PassWhen.all:
        enough = row["passes"] == run.repeat
    elif run.threshold is not None:
        return int(row["reached"])
    else:
        enough = 2 * row["passes"] >= run.repeat
    return row["items"] if enough else 0


def _score_interval(rows: Sequence[RowMapping]) -> list[float] | None:
    scores = np.repeat([row["score"] for row in rows], [row["items"] for row in rows])
    return [*mean_interval(scores.tolist())] if scores.size > 1 else None


def _derived(run: EvalRun, metrics: Sequence[RowMapping], cells: int) -> list[dict[str, Any]]:
    derived = compile_derived_metrics(run.derived_metrics or ())
    sums = {row["name"]: row["total"] for row in metrics}
    return [score.as_json() for score in derived.compute(sums, cells)]


def _rate(name: str, passed: int, total: int) -> dict[str, Any]:
    if not total:
        return {name: None, f"{name}_interval": None}
    return {name: passed / total, f"{name}_interval": [*wilson_interval(passed, total)]}
