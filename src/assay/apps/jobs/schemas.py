"""Wire shapes of jobs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from assay.apps.wire import Text50
from assay.core.schemas import Count, Input, Output
from assay.core.text import JsonObject
from assay.jobs.models import JobStatus


class JobCreate(Input):
    """A job to start."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_type": "evaluate-listing",
                    "params": {"listing_id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c"},
                }
            ]
        }
    )

    job_type: Annotated[Text50, Field(min_length=1)]
    params: JsonObject = Field(default={})


class JobProgress(BaseModel):
    """How far a job is; all zero as long as it has not said."""

    current: Count = 0
    total: Count = 0
    message: str = ""


class JobRead(Output):
    """A job."""

    id: UUID
    job_type: str = Field(examples=["evaluate-listing"])
    status: JobStatus
    params: dict[str, Any]
    result: dict[str, Any] | None
    progress: Annotated[JobProgress, BeforeValidator(lambda stored: stored or {})]
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    user_id: str
