"""What came out of a run, for each model and over all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from assay.grading.statistics import wilson_interval
from assay.playground.runs.models import EvalRun
from assay.playground.runs.specification import model_id

PERCENTILES = (0.5, 0.9, 0.95, 0.99)

# A model of NULL is the line over all models.
TOTALS = text("""
    WITH cell AS (
        SELECT model_id, passed, score, error,
            CAST(metrics ->> 'latency_ms' AS float8) AS latency_ms,
            CAST(metrics ->> 'tokens_in' AS bigint) AS tokens_in,
            CAST(metrics ->> 'tokens_out' AS bigint) AS tokens_out,
            CAST(metrics ->> 'cost' AS float8) AS cost
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
        count(*) FILTER (WHERE error IS NULL AND cost IS NULL) AS unpriced
    FROM cell
    GROUP BY GROUPING SETS ((model_id), ())
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


async def summarize(session: AsyncSession, run: EvalRun) -> dict[str, Any]:
    """The summary of the results stored so far: `{"overall": {...}, "models": {name: {...}}}`.

    Each has cells, passed, failed, errors, the pass rate with its Wilson interval (95 %), the
    mean score, latency percentiles in milliseconds, tokens, cost in USD, and the pass rate of
    each assertion. A cell that ended in an error counts as not passed.
    """
    rows = await session.execute(TOTALS, {"run_id": run.id, "percentiles": list(PERCENTILES)})
    totals = {row["model"]: row for row in rows.mappings()}
    assertions: dict[str | None, list[RowMapping]] = defaultdict(list)
    for row in (await session.execute(ASSERTIONS, {"run_id": run.id})).mappings():
        assertions[row["model"]].append(row)
    return {
        "overall": _entry(totals.get(None, {}), assertions[None]),
        "models": {
            name: _entry(totals.get(name, {}), assertions[name])
            for name in map(model_id, run.models)
        },
    }


def _entry(totals: Mapping[Any, Any], assertions: Sequence[RowMapping]) -> dict[str, Any]:
    cells, passed = totals.get("cells", 0), totals.get("passed", 0)
    errors = totals.get("errors", 0)
    low, high = wilson_interval(passed, cells)
    latency = totals.get("latency") or [None] * len(PERCENTILES)
    return {
        "cells": cells,
        "passed": passed,
        "failed": cells - passed - errors,
        "errors": errors,
        "pass_rate": passed / cells if cells else None,
        "pass_rate_interval": [low, high] if cells else None,
        "mean_score": totals.get("mean_score"),
        "latency_ms": {
            f"p{round(quantile * 100)}": value
            for quantile, value in zip(PERCENTILES, latency, strict=True)
        },
        "tokens_in": int(totals.get("tokens_in") or 0),
        "tokens_out": int(totals.get("tokens_out") or 0),
        "cost": totals.get("cost"),
        "cells_without_price": totals.get("unpriced", 0),
        "assertions": [
            {
                "name": row["name"],
                "type": row["type"],
                "cells": row["cells"],
                "passed": row["passed"],
                "pass_rate": row["passed"] / row["cells"],
            }
            for row in assertions
        ],
    }
