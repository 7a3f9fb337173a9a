"""Wire shapes of prompts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assay.core.database import Name
from assay.core.schemas import Count, Input, Output, absent
from assay.core.text import Text

Tag = Annotated[Text, Field(min_length=1, max_length=100)]


def _without_repeats(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(_without_repeats)]


class PromptCreate(Input):
    """A prompt to make; its text comes with its first version."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Intent of a message", "tags": ["support", "classification"]}]
        }
    )

    name: Name
    description: Text | None = None
    tags: Tags = Field(default=[])


class PromptUpdate(Input):
    """What to change in a prompt; what is not sent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tags": ["support"]}]})

    name: Name = Field(default_factory=absent)
    description: Text | None = None
    tags: Tags = Field(default_factory=absent)


class PromptCounts(BaseModel):
    """How much there is of a prompt."""

    versions: Count = 0
    runs: Count = 0


class PromptRead(Output):
    """A prompt."""

    id: UUID
    use_case_id: UUID
    name: str = Field(examples=["Intent of a message"])
    description: str | None
    tags: list[str] = Field(examples=[["support", "classification"]])
    latest_version: int | None = Field(
        description="The newest version's number; null before the first", examples=[4]
    )
    labels: dict[str, int] = Field(
        description="The version number that each label names", examples=[{"production": 3}]
    )
    created_at: datetime
    updated_at: datetime
    counts: PromptCounts
