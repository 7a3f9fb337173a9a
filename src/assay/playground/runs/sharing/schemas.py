"""Wire shapes of shared runs: what anybody may see of one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from assay.core.schemas import Count, Input
from assay.playground.runs.models import RunStatus
from assay.playground.runs.results.schemas import RunSummary
from assay.playground.runs.schemas import Progress

DAY = 86_400


class ShareCreate(Input):
    """How long anybody with the link may read the run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"expires_in": 604_800}]})

    expires_in: int = Field(
        strict=True, ge=60, le=366 * DAY, description="Seconds, from a minute to a year"
    )


class ShareRead(BaseModel):
    """A link to a run; it is shown this once."""

    token: str = Field(examples=["kJ0n6l3cV8yq2mN4xW7tB1dR5sG9hZ0fQ3pL6uE8aYc"])
    url: str = Field(
        examples=["http://localhost:8000/api/v1/shared/kJ0n6l3cV8yq2mN4xW7tB1dR5sG9hZ0fQ3pL6uE8aYc"]
    )
    expires_at: datetime


class SharedRun(BaseModel):
    """A run as anybody with the link sees it."""

    name: str | None
    prompt: str = Field(description="The prompt's name", examples=["Intent of a message"])
    version_number: int = Field(examples=[3])
    dataset: str = Field(description="The dataset's name", examples=["March"])
    models: list[str] = Field(examples=[["builtin/keyword-classifier"]])
    status: RunStatus
    progress: Progress
    summary: RunSummary
    created_at: datetime
    completed_at: datetime | None
    expires_at: datetime = Field(description="When the link ends")


class SharedAssertion(BaseModel):
    """How one assertion came out."""

    type: str = Field(examples=["contains"])
    metric: str | None = None
    passed: bool
    score: float
    reason: str


class SharedResult(BaseModel):
    """The outcome of one cell."""

    item_id: UUID
    input: dict[str, Any] = Field(description="The item's variables")
    expected_output: Any
    model: str = Field(examples=["builtin/keyword-classifier"])
    repetition: Count
    output: str | None
    output_json: Any
    passed: bool
    score: float
    error: str | None = Field(
        description="What kind of error the cell ended in", examples=["rate_limited"]
    )
    assertions: list[SharedAssertion]
    latency_ms: float | None
    cost: float | None
