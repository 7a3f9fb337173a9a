"""Results for programs: one JSON object, written row by row."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.report import RunReport
from assay.playground.runs.models import EvalResult
from assay.playground.runs.seen_items import item_numbers, seen_items

_PAGE = 500


async def write_results(
    session: AsyncSession, file: Path, reports: Sequence[RunReport], stream: BinaryIO
) -> None:
    """Write what came out: the runs with their summaries, then every cell under `results`.

    Args:
        session: to read the cells page by page.
        file: the evaluation file.
        reports: the runs.
        stream: where to write, as UTF-8.
    """
    head = {
        "file": str(file),
        "passed": all(report.passed for report in reports),
        "runs": [_run(report) for report in reports],
    }
    stream.write(orjson.dumps(head, default=str)[:-1] + b',"results":[')
    separator = b"\n"
    for report in reports:
        async for cell in _cells(session, report):
            stream.write(separator + orjson.dumps(cell))
            separator = b",\n"
    stream.write(b"\n]}\n")


def _run(report: RunReport) -> dict[str, Any]:
    run = report.run
    return {
        "id": str(run.id),
        "name": run.name,
        "prompt": report.prompt,
        "version": report.version,
        "status": run.status,
        "error": run.error_message,
        "models": run.models,
        "progress": run.progress,
        "summary": report.summary,
    }


async def _cells(session: AsyncSession, report: RunReport) -> AsyncIterator[dict[str, Any]]:
    item, numbered = seen_items(report.run), item_numbers(report.run)
    last: tuple[UUID, str, int] | None = None
    key = (EvalResult.dataset_item_id, EvalResult.model_id, EvalResult.repetition)
    while True:
        statement = (
            select(EvalResult, numbered.c.number, item.c.input, item.c.metadata)
            .join(item, item.c.id == EvalResult.dataset_item_id)
            .join(numbered, numbered.c.id == item.c.id)
            .where(EvalResult.eval_run_id == report.run.id)
            .order_by(*key)
            .limit(_PAGE)
        )
        if last is not None:
            statement = statement.where(func.row(*key) > func.row(*last))
        rows = (await session.execute(statement)).all()
        for result, number, variables, metadata in rows:
            last = (result.dataset_item_id, result.model_id, result.repetition)
            yield {
                "run": str(report.run.id),
                "item": number,
                "variables": variables,
                "metadata": metadata,
                "model": result.model_id,
                "output": result.output,
                "passed": result.passed,
                "score": result.score,
                "error": result.error,
                "grading": result.grading,
                "metrics": result.metrics,
            }
        if len(rows) < _PAGE:
            return
