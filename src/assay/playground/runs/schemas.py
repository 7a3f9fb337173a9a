"""Wire shapes of runs and results."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from assay.core.text import JsonObject, Text
from assay.gateway.cache import CacheMode
from assay.playground.assertions import Assertions, DerivedMetrics
from assay.playground.runs.models import PassWhen, RunStatus

MaxCost = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class ModelEntry(BaseModel):
    """One model of a run."""

    model_config = ConfigDict(extra="forbid")

    model: Text = Field(
        min_length=1,
        max_length=255,
        description="`provider/model`",
        examples=["builtin/keyword-classifier"],
    )
    parameters: JsonObject = Field(
        default={},
        description="Temperature, max_tokens and so on; they win over the version's defaults",
        examples=[{"temperature": 0}],
    )
    output_schema: JsonObject | None = Field(
        default=None, description="A JSON Schema that the answers have to follow"
    )
    label: Text | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Its name in results, needed where a model is listed twice",
    )


class JudgeEntry(BaseModel):
    """Whom assertions that ask a model ask, where they name nobody themselves."""

    model_config = ConfigDict(extra="forbid")

    model: Text | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="`provider/model` that judges",
        examples=["openai/gpt-6-luna"],
    )
    parameters: JsonObject = Field(
        default={}, description="Of the judge's requests", examples=[{"temperature": 0}]
    )
    embedding: Text | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="`provider/model` that makes embeddings",
        examples=["builtin/wordllama"],
    )
    embedding_parameters: JsonObject = Field(
        default={}, description="Of the requests for embeddings", examples=[{"dimensions": 512}]
    )

    def as_column(self) -> dict[str, Any]:
        """What is stored with a run: what is named, and its parameters."""
        return self.model_dump(exclude_defaults=True)


class EvalRunCreate(BaseModel):
    """A run to be started."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "prompt_version_id": "019ab1de-6f00-7a55-8000-3c1f2e5d7a90",
                    "dataset_id": "019ab1de-6f00-7b12-8000-5d0c9b3e4f21",
                    "models": [{"model": "builtin/keyword-classifier"}],
                    "assertions": [{"type": "equals", "value": "{{expected_output}}"}],
                    "concurrency": 16,
                }
            ]
        },
    )

    prompt_version_id: UUID
    dataset_id: UUID
    models: list[ModelEntry] = Field(min_length=1, max_length=100)
    assertions: Assertions = Field(
        default=[],
        description="They grade every answer, beside the dataset's and the items' own",
        examples=[[{"type": "equals", "value": "{{expected_output}}"}]],
    )
    judge: JudgeEntry | None = Field(
        default=None, description="Whom assertions ask that ask a model and name none"
    )
    derived_metrics: DerivedMetrics = Field(
        default=[], description="Metrics that are computed from others once a run is graded"
    )
    name: Text | None = Field(default=None, min_length=1, max_length=255)
    concurrency: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=10_000,
        description="Cells in flight at most, over all workers (64 where nothing is said)",
    )
    cache: CacheMode = Field(
        default=CacheMode.on,
        description=(
            "Whether answers to equal requests at temperature 0 come from the cache; `refresh` "
            "asks, and keeps the new answers"
        ),
    )
    max_cost: MaxCost | None = Field(
        default=None, description="USD at which the run stops; it can be resumed with more"
    )
    repeat: int = Field(
        default=1, strict=True, ge=1, le=100, description="How often each item is asked"
    )
    pass_when: PassWhen = Field(
        default=PassWhen.all,
        description=(
            "When an item has passed with a model: `any` or `all` repetitions did, or their "
            "`mean` score reaches the threshold (without one: at least half of them passed)"
        ),
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The mean score that is enough, for `pass_when: mean`",
    )

    @model_validator(mode="after")
    def _threshold_is_of_the_mean(self) -> Self:
        if self.threshold is not None and self.pass_when is not PassWhen.mean:
            raise ValueError("a threshold counts with `pass_when: mean` only")
        return self


class EvalRunResume(BaseModel):
    """What a run goes on with."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"max_cost": 5.0}, {}]}
    )

    max_cost: MaxCost | None = Field(
        default=None, description="Its budget from now on in USD; null takes the limit away"
    )


class RerunWhat(StrEnum):
    """Which cells are asked again."""

    errors = "errors"
    failed = "failed"


class EvalRunRerun(EvalRunResume):
    """Cells to ask again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"what": "errors"}, {"what": "failed"}]}
    )

    what: RerunWhat = Field(
        default=RerunWhat.errors,
        description="Those that ended in an error, or with `failed` all that did not pass",
    )


class EvalRunRescore(BaseModel):
    """How the stored answers of a run are graded again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "assertions": [{"type": "icontains", "value": "{{expected_output}}"}],
                    "name": "in any case",
                }
            ]
        },
    )

    assertions: Assertions | None = Field(
        default=None,
        description="In place of the run's own; without them, these",
        examples=[[{"type": "icontains", "value": "{{expected_output}}"}]],
    )
    judge: JudgeEntry | None = Field(
        default=None, description="In place of the run's own; without it, that"
    )
    name: Text | None = Field(default=None, min_length=1, max_length=255)


class Estimate(BaseModel):
    """What a run will take, before it is started; an estimate, and without judges."""

    cells: int
    tokens_in: int
    tokens_out: int
    cost: float | None = Field(description="USD; null where a model has no known price")
    unpriced_models: list[str] = Field(description="Models without a known price")


class Progress(BaseModel):
    """How far a run is."""

    total: int = Field(description="Cells in all")
    completed: int = Field(description="Cells with a stored result")
    passed: int
    failed: int = Field(description="Graded and not passed")
    errors: int = Field(description="Not answered for good")
    waiting: int = Field(description="Answered, and waiting for what people say; no result yet")
    cost: float = Field(description="USD so far")
    percent: float


class EvalRunRead(BaseModel):
    """A run."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    project_id: UUID
    prompt_version_id: UUID
    dataset_id: UUID
    name: str | None
    models: list[dict[str, Any]]
    assertions: list[dict[str, Any]]
    concurrency: int | None
    dataset_version: int = Field(description="The version of the dataset that the run is about")
    rescored_from_id: UUID | None = Field(
        description="The run whose answers were graded again, in place of asking the models"
    )
    cache: CacheMode
    max_cost: float | None
    estimated_cost: float | None = Field(
        description="USD, from before the start; null where a model has no known price"
    )
    repeat: int
    pass_when: PassWhen
    threshold: float | None
    judge: dict[str, Any] | None
    derived_metrics: list[dict[str, Any]] | None
    status: RunStatus
    progress: Progress
    summary: dict[str, Any] | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    created_by: str | None
