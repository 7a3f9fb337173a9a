"""Wire shapes of output schemas."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from assay.apps.wire import AppName, Text50, Text200
from assay.core.schemas import Input, Output, absent
from assay.core.text import Text
from assay.grading.json_schemas import JsonSchema

SchemaName = Annotated[Text200, Field(min_length=1)]
PromptType = Annotated[Text50, Field(min_length=1)]

SCHEMA_EXAMPLE: dict[str, Any] = {
    "type": "object",
    "properties": {"medicines": {"type": "array", "items": {"type": "string"}}},
    "required": ["medicines"],
}


class AppSchemaCreate(Input):
    """A schema to store as the next version of its type."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "app_id": "voice-rx",
                    "prompt_type": "extraction",
                    "name": "Medicines only",
                    "schema_data": SCHEMA_EXAMPLE,
                    "description": "What is prescribed, and nothing else",
                }
            ]
        }
    )

    app_id: AppName
    prompt_type: PromptType
    name: SchemaName
    schema_data: JsonSchema = Field(description="What the answer is held against")
    description: Text = ""
    is_default: bool = False


class AppSchemaUpdate(Input):
    """What to change in a schema; what is not sent stays as it is, and so does its version."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Medicines and doses"}]})

    name: SchemaName = Field(default_factory=absent)
    schema_data: JsonSchema = Field(default_factory=absent)
    description: Text = Field(default_factory=absent)
    is_default: bool = Field(default_factory=absent)


class AppSchemaRead(Output):
    """A version of a schema."""

    id: int
    app_id: str = Field(examples=["voice-rx"])
    prompt_type: str = Field(examples=["extraction"])
    version: int = Field(ge=1, description="Counts up for each app, type and owner")
    name: str
    schema_data: dict[str, Any] = Field(examples=[SCHEMA_EXAMPLE])
    description: str
    is_default: bool = Field(description="A default cannot be deleted")
    created_at: datetime
    updated_at: datetime
    user_id: str
