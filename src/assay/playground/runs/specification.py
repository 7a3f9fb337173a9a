"""What a run asks and how it grades, compiled once and used for every cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import to_json
from assay.gateway.types import ModelRequest
from assay.grading.assertions import compile_assertions
from assay.grading.grader import Grader
from assay.identity.actor import LOCAL_USER, job_actor
from assay.playground.prompts.models import PromptVersion
from assay.playground.prompts.rendering import PromptRenderer
from assay.playground.runs.budget import Budget
from assay.playground.runs.judges import judges_of
from assay.playground.runs.models import EvalResult, EvalRun

# Beside an item's input, assertions may use what is expected of it under this name.
EXPECTED = "expected_output"
DISTINCT_GRADERS = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the dataset, as a run needs it."""

    id: UUID
    input: Mapping[str, Any]
    expected_output: Any
    assertions: Sequence[Mapping[str, Any]] | None

    def assertion_variables(self) -> dict[str, Any]:
        """What templates in assertions may use."""
        return {EXPECTED: self.expected_output, **self.input}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """One model of a run: `model_id` names it in results, `config` is its entry in the run."""

    model_id: str
    name: str
    parameters: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    config: str


class Cell(NamedTuple):
    """One item with one model, for the `repetition`-th time, from 0."""

    item: Item
    choice: ModelChoice
    repetition: int
    # Where answers of another run are graded: its result for the cell, if there is one.
    stored: EvalResult | None = None


class RunSpecification:
    """A run's prompt, models and assertions, ready to make requests and to grade answers."""

    def __init__(self, run: EvalRun, version: PromptVersion) -> None:
        """Compile; the parts were checked when the run was created."""
        self.run_id = run.id
        self.project_id = run.project_id
        self.name = run.name
        self.dataset_version = run.dataset_version
        self.actor = job_actor(run.created_by or LOCAL_USER)
        self.concurrency = run.concurrency
        self.rescored_from_id = run.rescored_from_id
        self.repeat = run.repeat
        self.cache = run.cache
        self.budget = Budget(run.max_cost, run.cost)
        self.renderer = PromptRenderer(
            version.type, version.template_text, version.template_messages
        )
        self.models = [_choice(entry, version.model_defaults) for entry in run.models]
        self._assertions = [*(run.dataset_assertions or ()), *run.assertions]
        self._judges = judges_of(run.judge)
        self._grader = compile_assertions(self._assertions, judges=self._judges)
        self._own_grader = lru_cache(DISTINCT_GRADERS)(self._compile_with)

    def request(self, cell: Cell) -> ModelRequest:
        """The request of one cell.

        Raises:
            TemplateFault: the item lacks a variable.
        """
        return ModelRequest(
            self.renderer.render(cell.item.input),
            cell.choice.parameters,
            cell.choice.output_schema,
            cell.repetition,
        )

    def grader(self, item: Item) -> Grader:
        """The grader for an item: the run's, with the item's own assertions behind."""
        if not item.assertions:
            return self._grader
        return self._own_grader(to_json(item.assertions))

    def _compile_with(self, own: str) -> Grader:
        return compile_assertions([*self._assertions, *orjson.loads(own)], judges=self._judges)


def _choice(entry: Mapping[str, Any], defaults: Mapping[str, Any] | None) -> ModelChoice:
    return ModelChoice(
        model_id=model_id(entry),
        name=entry["model"],
        parameters={**(defaults or {}), **(entry.get("parameters") or {})},
        output_schema=entry.get("output_schema"),
        config=to_json(entry),
    )


def model_id(entry: Mapping[str, Any]) -> str:
    """The name of a run's model entry in results: its label, or the model's own name."""
    return str(entry.get("label") or entry["model"])


async def load_specification(session: AsyncSession, run_id: UUID) -> RunSpecification | None:
    """The specification of a run; `None` where the run is gone."""
    row = (
        await session.execute(
            select(EvalRun, PromptVersion)
            .join(PromptVersion, PromptVersion.id == EvalRun.prompt_version_id)
            .where(EvalRun.id == run_id)
        )
    ).one_or_none()
    return RunSpecification(*row) if row else None
