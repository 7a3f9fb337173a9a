"""Wire shapes of projects and use cases."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from assay.core.database import Name
from assay.core.schemas import Count, Input, Output, absent
from assay.core.text import Text


class ProjectCreate(Input):
    """A project to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Customer support", "description": "All bots of the help desk"}]
        }
    )

    name: Name
    description: Text | None = None


class ProjectUpdate(Input):
    """What to change in a project; what is not sent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Service desk"}]})

    name: Name = Field(default_factory=absent)
    description: Text | None = None


class ProjectCounts(BaseModel):
    """How much is in a project."""

    use_cases: Count = 0
    prompts: Count = 0
    datasets: Count = 0
    runs: Count = 0


class ProjectRead(Output):
    """A project."""

    id: UUID
    name: str = Field(examples=["Customer support"])
    description: str | None = Field(examples=["All bots of the help desk"])
    created_at: datetime
    updated_at: datetime
    counts: ProjectCounts


class UseCaseCreate(Input):
    """A use case to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Sort messages", "description": "Finds the intent of a message"}]
        }
    )

    name: Name
    description: Text | None = None


class UseCaseUpdate(Input):
    """What to change in a use case; what is not sent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Sort tickets"}]})

    name: Name = Field(default_factory=absent)
    description: Text | None = None


class UseCaseCounts(BaseModel):
    """How much is in a use case."""

    prompts: Count = 0
    datasets: Count = 0
    runs: Count = 0


class UseCaseRead(Output):
    """A use case."""

    id: UUID
    project_id: UUID
    name: str = Field(examples=["Sort messages"])
    description: str | None = Field(examples=["Finds the intent of a message"])
    created_at: datetime
    updated_at: datetime
    counts: UseCaseCounts
