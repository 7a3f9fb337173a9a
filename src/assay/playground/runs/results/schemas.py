"""Wire shapes of results, summaries and the matrix."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


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
    latency_ms: float | None = Field(description="Null where the model was not asked")
    cost: float | None = Field(description="USD; null where the price is not known")
    failed_assertions: list[str] = Field(
        description="The metrics, or types, of assertions with a weight that did not pass"
    )
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


class DerivedScore(BaseModel):
    """What a derived metric came to."""

    name: str
    value: float | None
    reason: str | None = Field(
        default=None, description="Why there is no value, or what was missing and counts as 0"
    )


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
    mean_score_interval: tuple[float, float] | None = Field(
        default=None, description="Bootstrap interval of the mean score over items, 95 %"
    )
    items: int = Field(default=0, description="Items with a model whose repetitions are all there")
    items_passed: int = Field(default=0, description="Of these, passed by the run's `pass_when`")
    item_pass_rate: float | None = None
    item_pass_rate_interval: tuple[float, float] | None = Field(
        default=None, description="Wilson interval of the rate over items, 95 %"
    )
    pass_hat_k: list[float] = Field(
        default=[],
        description="At place k - 1 how likely k repetitions of an item all pass (pass^k)",
    )
    latency_ms: LatencySummary
    tokens_in: int
    tokens_out: int
    cost: float | None
    cells_without_price: int
    cached: int = Field(default=0, description="Cells answered from the cache")
    assertions: list[AssertionSummary]
    metrics: dict[str, float] = Field(default={}, description="The mean score of each named metric")
    derived_metrics: list[DerivedScore] = Field(default=[], description="The run's own formulas")


class RunSummary(BaseModel):
    """What came out of a run, over all and for each model."""

    overall: SummaryEntry
    models: dict[str, SummaryEntry]


class MatrixCell(BaseModel):
    """One cell of the grid; the whole result is among the results of the run."""

    id: UUID
    repetition: int
    passed: bool
    score: float
    error: bool
    latency_ms: float | None
    cost: float | None
    output: str | None = Field(description="The first 200 characters")


class MatrixRow(BaseModel):
    """One item of the grid."""

    dataset_item_id: UUID
    models: dict[str, list[MatrixCell]] = Field(
        description="For each model its repetitions in order, as far as they have a result"
    )
