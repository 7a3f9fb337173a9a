"""Wire shapes of runs and results."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from assay.core.text import JsonObject, Text
from assay.playground.assertions import Assertions
from assay.playground.runs.models import RunStatus


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
    name: Text | None = Field(default=None, min_length=1, max_length=255)
    concurrency: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=10_000,
        description="Cells in flight at most, over all workers (64 where nothing is said)",
    )


class Progress(BaseModel):
    """How far a run is."""

    total: int = Field(description="Cells in all")
    completed: int = Field(description="Cells with a stored result")
    passed: int
    failed: int = Field(description="Graded and not passed")
    errors: int = Field(description="Not answered for good")
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
    status: RunStatus
    progress: Progress
    summary: dict[str, Any] | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    created_by: str | None


class EvalResultRead(BaseModel):
    """The outcome of one cell."""

    model_config = ConfigDict(from_attributes=True, protected_namespaces=())

    id: UUID
    eval_run_id: UUID
    dataset_item_id: UUID
    model_id: str
    repetition: int
    config: dict[str, Any] = Field(
        validation_alias="model_config", serialization_alias="model_config"
    )
    request: dict[str, Any] | None = Field(description="The messages exactly as sent")
    output: str | None
    output_json: Any
    grading: dict[str, Any] | None
    metrics: dict[str, Any] | None
    passed: bool
    score: float
    error: str | None
    created_at: datetime


class LatencySummary(BaseModel):
    """Percentiles in milliseconds."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class AssertionSummary(BaseModel):
    """How one assertion (or metric) came out."""

    name: str = Field(description="The metric's name, or the type")
    type: str
    cells: int
    passed: int
    pass_rate: float


class SummaryEntry(BaseModel):
    """What came out, for one model or over all."""

    cells: int
    passed: int
    failed: int
    errors: int
    pass_rate: float | None
    pass_rate_interval: tuple[float, float] | None = Field(
        description="Wilson interval of the pass rate, 95 %"
    )
    mean_score: float | None
    latency_ms: LatencySummary
    tokens_in: int
    tokens_out: int
    cost: float | None
    cells_without_price: int
    assertions: list[AssertionSummary]


class RunSummary(BaseModel):
    """What came out of a run, over all and for each model."""

    overall: SummaryEntry
    models: dict[str, SummaryEntry]
