"""Runs put straight into the database, with the results that a test is about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from assay.core.database import Database
from assay.playground.access import project_of_dataset
from assay.playground.datasets.models import Dataset
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus

Outcomes = Sequence[Sequence[bool | None]]
"""For each item whether each repetition passed; `None` where there is no result."""


async def store_run(
    database: Database,
    version: Mapping[str, Any],
    dataset_id: str,
    item_ids: Sequence[str],
    outcomes: Mapping[str, Outcomes],
    **fields: Any,
) -> str:
    """A completed run with these outcomes for each model; gives its id.

    Scores are 1 and 0. The first result of each model costs 0.5 USD, all others 0.25; latencies
    are 100 ms and up, by the number of the item.
    """
    repeat = max((len(item) for items in outcomes.values() for item in items), default=1)
    given: dict[str, Any] = {
        "models": [{"model": model, "parameters": {}} for model in outcomes],
        "assertions": [{"type": "contains", "value": "x"}],
        "status": RunStatus.completed,
        "repeat": repeat,
        "created_by": "default",
        "completed_at": datetime.now(UTC),
    }
    async with database.session() as session:
        dataset = await session.get_one(Dataset, UUID(dataset_id))
        given["dataset_version"] = dataset.version
        run = EvalRun(
            project_id=await session.scalar(project_of_dataset(UUID(dataset_id))),
            prompt_version_id=UUID(version["id"]),
            dataset_id=UUID(dataset_id),
            **given | fields,
        )
        session.add(run)
        await session.flush()
        for model, items in outcomes.items():
            for number, (item_id, passes) in enumerate(zip(item_ids, items, strict=False)):
                session.add_all(
                    _result(run.id, item_id, model, number, repetition, passed)
                    for repetition, passed in enumerate(passes)
                    if passed is not None
                )
    return str(run.id)


def _result(
    run_id: UUID, item_id: str, model: str, number: int, repetition: int, passed: bool
) -> EvalResult:
    reason = "" if passed else "The output does not contain x."
    entry = {"type": "contains", "passed": passed, "score": float(passed), "weight": 1.0}
    return EvalResult(
        eval_run_id=run_id,
        dataset_item_id=UUID(item_id),
        model_id=model,
        repetition=repetition,
        model_config={"model": model, "parameters": {}},
        request={"messages": [{"role": "user", "content": "the secret prompt"}]},
        output=f"answer {number}",
        grading={
            "passed": passed,
            "score": float(passed),
            "reason": reason,
            "assertions": [{**entry, "reason": reason}],
            "metrics": {},
        },
        metrics={"latency_ms": 100.0 + number, "tokens_in": 3, "tokens_out": 2, "attempts": 1},
        passed=passed,
        score=float(passed),
        latency_ms=100.0 + number,
        cost=0.25 if number or repetition else 0.5,
        failed_assertions=[] if passed else ["contains"],
    )
