"""Wire shapes of the history."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from assay.apps.wire import AppName, Text20, Text50, Text200
from assay.core.schemas import Input, Output
from assay.core.text import JsonValue

LATEST = 2**63 - 1
LONGEST = 1e300

Milliseconds = Annotated[int, Field(ge=0, le=LATEST, examples=[1785974400000])]
"""A point in time: milliseconds since 1970 (UTC)."""


class HistoryCreate(Input):
    """Something that was done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "app_id": "voice-rx",
                    "entity_type": "listing",
                    "entity_id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c",
                    "source_type": "evaluator_run",
                    "source_id": "completeness",
                    "status": "success",
                    "duration_ms": 812.5,
                    "data": {"score": 0.9},
                    "timestamp": 1785974400000,
                }
            ]
        }
    )

    app_id: AppName
    entity_type: Text50 | None = None
    entity_id: Text200 | None = None
    source_type: Annotated[Text50, Field(min_length=1)]
    source_id: Text200 | None = None
    status: Annotated[Text20, Field(min_length=1)]
    duration_ms: float | None = Field(default=None, ge=0, le=LONGEST)
    data: JsonValue | None = None
    triggered_by: Text20 = "manual"
    schema_version: Text20 | None = None
    user_context: JsonValue | None = None
    timestamp: Milliseconds | None = Field(
        default=None, description="When it was done, in ms since 1970 (UTC); left out: now"
    )


class HistoryFilter(BaseModel):
    """Which entries are wanted; all that is given has to hold."""

    app_id: AppName | SkipJsonSchema[None] = None
    entity_type: Text50 | SkipJsonSchema[None] = None
    entity_id: Text200 | SkipJsonSchema[None] = None
    source_type: Text50 | SkipJsonSchema[None] = None
    source_id: Text200 | SkipJsonSchema[None] = None
    status: Text20 | SkipJsonSchema[None] = None
    since: Milliseconds | SkipJsonSchema[None] = Field(
        default=None, description="The first millisecond"
    )
    until: Milliseconds | SkipJsonSchema[None] = Field(
        default=None, description="The last millisecond"
    )


class HistoryRead(Output):
    """Something that was done."""

    id: UUID
    app_id: str = Field(examples=["voice-rx"])
    entity_type: str | None = Field(examples=["listing"])
    entity_id: str | None
    source_type: str = Field(examples=["evaluator_run"])
    source_id: str | None = Field(examples=["completeness"])
    status: str = Field(examples=["success"])
    duration_ms: float | None = Field(examples=[812.5])
    data: Any | None = Field(examples=[{"score": 0.9}])
    triggered_by: str = Field(examples=["manual"])
    schema_version: str | None
    user_context: Any | None
    timestamp: int = Field(examples=[1785974400000])
    user_id: str = Field(examples=["default"])
