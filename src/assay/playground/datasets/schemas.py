"""Wire shapes of datasets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from assay.core.database import Name
from assay.core.schemas import Count, Input, Output, absent
from assay.core.text import Text
from assay.grading.json_schemas import JsonSchema
from assay.playground.assertions import Assertions

INPUT_SCHEMA_EXAMPLE: dict[str, Any] = {
    "type": "object",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
}


class DatasetCreate(Input):
    """A dataset to make, as yet without items."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Messages of March",
                    "input_schema": INPUT_SCHEMA_EXAMPLE,
                    "expected_output_schema": {"enum": ["refund", "delivery", "other"]},
                    "default_assertions": [{"type": "equals", "value": "{{ expected_output }}"}],
                }
            ]
        }
    )

    name: Name
    description: Text | None = None
    input_schema: JsonSchema | None = Field(
        default=None, description="What the input of each new item is held against"
    )
    expected_output_schema: JsonSchema | None = Field(
        default=None, description="What the expected output of each new item is held against"
    )
    default_assertions: Assertions | None = Field(
        default=None, description="What every run on this dataset asks of each answer"
    )


class DatasetUpdate(Input):
    """What to change in a dataset; what is not sent stays as it is.

    A new schema holds for what is written from then on; items already there are left alone.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Messages of April"}]})

    name: Name = Field(default_factory=absent)
    description: Text | None = None
    input_schema: JsonSchema | None = None
    expected_output_schema: JsonSchema | None = None
    default_assertions: Assertions | None = None


class DatasetCounts(BaseModel):
    """How much there is of a dataset."""

    items: Count = 0
    runs: Count = 0


class DatasetRead(Output):
    """A dataset."""

    id: UUID
    use_case_id: UUID
    name: str = Field(examples=["Messages of March"])
    description: str | None
    input_schema: dict[str, Any] | None = Field(examples=[INPUT_SCHEMA_EXAMPLE])
    expected_output_schema: dict[str, Any] | None
    default_assertions: list[dict[str, Any]] | None
    version: int = Field(
        ge=0, description="Goes up by one with every change of items", examples=[3]
    )
    created_at: datetime
    updated_at: datetime
    counts: DatasetCounts
