"""The cells of a run, read page by page.

Between pages no connection is held, so that a reader who is slow, or never comes back, takes none
from others. Pages go by keys, so each costs the same.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database
from assay.identity.actor import Actor
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.runs.models import EvalResult, EvalRun
from assay.playground.runs.seen_items import seen_items
from assay.playground.runs.service import get_run

# Outputs can be long, and a page of them is in memory at once.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Exported:
    """A run with the names of what it ran."""

    run: EvalRun
    prompt: str
    version: int


class ExportedCell(NamedTuple):
    """A result with its item as the run saw it."""

    item_id: UUID
    input: dict[str, Any]
    expected_output: Any
    metadata: dict[str, Any] | None
    model: str
    repetition: int
    request: dict[str, Any] | None
    output: str | None
    output_json: Any
    passed: bool
    score: float
    error: str | None
    grading: dict[str, Any] | None
    metrics: dict[str, Any] | None
    latency_ms: float | None
    cost: float | None

    def failures(self) -> list[str]:
        """What the assertions that decide and did not pass found, each with its name."""
        entries = (self.grading or {}).get("assertions") or ()
        return [
            f"{entry.get('metric') or entry['type']}: {entry.get('reason', '')}"
            for entry in entries
            if not entry["passed"] and entry.get("weight", 1)
        ]


async def find_exported(session: AsyncSession, actor: Actor, run_id: UUID) -> Exported:
    """The run to be exported.

    Raises:
        RunNotFound
    """
    run = await get_run(session, actor, run_id)
    query = (
        select(Prompt.name, PromptVersion.version_number)
        .join(PromptVersion, PromptVersion.prompt_id == Prompt.id)
        .where(PromptVersion.id == run.prompt_version_id)
    )
    name, number = (await session.execute(query)).one()
    return Exported(run, name, number)


async def read_pages(database: Database, run: EvalRun) -> AsyncIterator[Sequence[ExportedCell]]:
    """The cells of a run in the order of its items, models and repetitions, in pages."""
    key = (EvalResult.dataset_item_id, EvalResult.model_id, EvalResult.repetition)
    item = seen_items(run)
    query = (
        select(
            item.c.id,
            item.c.input,
            item.c.expected_output,
            item.c.metadata,
            EvalResult.model_id,
            EvalResult.repetition,
            EvalResult.request,
            EvalResult.output,
            EvalResult.output_json,
            EvalResult.passed,
            EvalResult.score,
            EvalResult.error,
            EvalResult.grading,
            EvalResult.metrics,
            EvalResult.latency_ms,
            EvalResult.cost,
        )
        .join(item, item.c.id == EvalResult.dataset_item_id)
        .where(EvalResult.eval_run_id == run.id)
        .order_by(*key)
        .limit(PAGE)
    )
    page = query
    while True:
        async with database.session() as session:
            cells = [ExportedCell(*row) for row in (await session.execute(page)).all()]
        if cells:
            yield cells
        if len(cells) < PAGE:
            return
        last = cells[-1]
        page = query.where(tuple_(*key) > tuple_(last.item_id, last.model, last.repetition))


async def variable_names(database: Database, run: EvalRun, limit: int) -> list[str]:
    """The names of the variables of a run's items, the first `limit` in their order."""
    item = seen_items(run)
    name = func.jsonb_object_keys(item.c.input).label("name")
    names = select(name).select_from(item).distinct().subquery()
    async with database.session() as session:
        found = await session.scalars(select(names.c.name).order_by(names.c.name).limit(limit))
        return list(found)
