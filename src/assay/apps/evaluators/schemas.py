"""Wire shapes of evaluators."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from assay.apps.wire import AppName, Text100, Text200
from assay.core.schemas import Input, Output, absent
from assay.core.text import JsonObject, Text

EvaluatorName = Annotated[Text200, Field(min_length=1)]
JudgePrompt = Annotated[
    Text, Field(min_length=1, description="What the judge is asked; takes {{ variables }}")
]
OutputSchema = Annotated[
    list[JsonObject], Field(description="The fields of the answer, each as an object")
]
FIELDS_EXAMPLE: list[dict[str, Any]] = [
    {"key": "score", "type": "number", "description": "0 to 10: how complete the notes are"},
    {"key": "missing", "type": "text", "description": "What the notes leave out"},
]


class EvaluatorCreate(Input):
    """An evaluator to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "app_id": "voice-rx",
                    "name": "Completeness",
                    "prompt": "How complete are these notes?\n\n{{ structured_outputs }}",
                    "model_id": "openai/gpt-5-mini",
                    "output_schema": [*FIELDS_EXAMPLE],
                    "show_in_header": True,
                }
            ]
        }
    )

    app_id: AppName
    listing_id: UUID | None = Field(default=None, description="The listing that it is for")
    name: EvaluatorName
    prompt: JudgePrompt
    model_id: Text100 | None = None
    output_schema: OutputSchema = Field(default=[])
    is_global: bool = False
    show_in_header: bool = False


class EvaluatorUpdate(Input):
    """What to change in an evaluator; what is not sent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model_id": None}]})

    listing_id: UUID | None = None
    name: EvaluatorName = Field(default_factory=absent)
    prompt: JudgePrompt = Field(default_factory=absent)
    model_id: Text100 | None = None
    output_schema: OutputSchema = Field(default_factory=absent)
    is_global: bool = Field(default_factory=absent)
    show_in_header: bool = Field(default_factory=absent)


class EvaluatorGlobal(Input):
    """Whether an evaluator is offered for all listings of its app."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_global": True}]})

    is_global: bool


class EvaluatorRead(Output):
    """An evaluator."""

    id: UUID
    app_id: str = Field(examples=["voice-rx"])
    listing_id: UUID | None
    name: str = Field(examples=["Completeness"])
    prompt: str
    model_id: str | None = Field(examples=["openai/gpt-5-mini"])
    output_schema: list[dict[str, Any]] = Field(examples=[FIELDS_EXAMPLE])
    is_global: bool
    show_in_header: bool
    forked_from: UUID | None = Field(description="The evaluator that it is a copy of")
    created_at: datetime
    updated_at: datetime
    user_id: str
