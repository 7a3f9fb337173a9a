"""Wire shapes of listings."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from assay.apps.wire import AppName, Text20
from assay.core.schemas import Input, Output, absent
from assay.core.text import JsonObject, Text, json_fault, located

LONGEST_LIST = 10_000


def _check_list(values: list[Any]) -> list[Any]:
    if found := json_fault(values):
        raise located(found)
    return values


JsonList = Annotated[list[Any], Field(max_length=LONGEST_LIST), AfterValidator(_check_list)]
Title = Annotated[Text, Field(max_length=500)]
FileReference = Annotated[
    JsonObject,
    Field(
        description="Names an uploaded file by its `id` or `file_id`; what else it has is kept",
        examples=[{"id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c", "name": "visit.mp3"}],
    ),
]


class ListingCreate(Input):
    """A listing to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "app_id": "voice-rx",
                    "title": "Visit of March 3",
                    "audio_file": {"id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c"},
                    "transcript": {"segments": [{"speaker": "doctor", "text": "Good morning."}]},
                }
            ]
        }
    )

    app_id: AppName
    title: Title = ""
    status: Text20 = "draft"
    source_type: Text20 = "upload"
    audio_file: FileReference | None = None
    transcript_file: FileReference | None = None
    structured_json_file: FileReference | None = None
    transcript: JsonObject | None = None
    api_response: JsonObject | None = None
    structured_output_references: JsonList = Field(default=[])
    structured_outputs: JsonList = Field(default=[])
    ai_eval: JsonObject | None = None
    human_eval: JsonObject | None = None
    evaluator_runs: JsonList = Field(default=[])


class ListingUpdate(Input):
    """What to change in a listing; what is not sent stays as it is, and null clears."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "completed", "human_eval": None}]}
    )

    title: Title = Field(default_factory=absent)
    status: Text20 = Field(default_factory=absent)
    source_type: Text20 = Field(default_factory=absent)
    audio_file: FileReference | None = None
    transcript_file: FileReference | None = None
    structured_json_file: FileReference | None = None
    transcript: JsonObject | None = None
    api_response: JsonObject | None = None
    structured_output_references: JsonList = Field(default_factory=absent)
    structured_outputs: JsonList = Field(default_factory=absent)
    ai_eval: JsonObject | None = None
    human_eval: JsonObject | None = None
    evaluator_runs: JsonList = Field(default_factory=absent)


class ListingSummary(Output):
    """A listing as lists show it: without the transcript and what was made of it."""

    id: UUID
    app_id: str = Field(examples=["voice-rx"])
    title: str = Field(examples=["Visit of March 3"])
    status: str = Field(examples=["draft"])
    source_type: str = Field(examples=["upload"])
    audio_file: dict[str, Any] | None
    transcript_file: dict[str, Any] | None
    structured_json_file: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    user_id: str = Field(examples=["default"])


class ListingRead(ListingSummary):
    """A listing, whole."""

    transcript: dict[str, Any] | None
    api_response: dict[str, Any] | None
    structured_output_references: list[Any]
    structured_outputs: list[Any]
    ai_eval: dict[str, Any] | None
    human_eval: dict[str, Any] | None
    evaluator_runs: list[Any]
