"""Wire shapes of an import of a promptfoo configuration."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from assay.core.database import Name
from assay.core.schemas import Input
from assay.core.text import JsonObject, Text
from assay.core.unions import one_of
from assay.playground.runs.schemas import EvalRunCreate

CONFIGURATION = """\
prompts:
  - "Sort this message: {{message}}"
providers:
  - openai:chat:gpt-6-luna
tests:
  - vars: { message: Where is my parcel? }
    assert:
      - type: equals
        value: delivery
"""


class PromptfooImport(Input):
    """A promptfoo configuration, and where what is in it goes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "project_id": "019ab1de-6f00-7a11-8000-0b6c8d3e4f20",
                    "configuration": CONFIGURATION,
                }
            ]
        }
    )

    project_id: UUID
    name: Name | None = Field(
        default=None, description="Of the use case that is made; else the configuration's own"
    )
    configuration: Annotated[
        JsonObject | Text,
        one_of(lambda value: Text if isinstance(value, str) else JsonObject),
    ] = Field(description="As an object, or as the text of the file in YAML or JSON")
    files: dict[str, Text] = Field(
        default={},
        max_length=1000,
        description="The text of each file that the configuration names; the server reads none",
        examples=[{"prompts/short.txt": "Sort this: {{message}}"}],
    )


class LeftOut(BaseModel):
    """Something in the configuration that is not carried over."""

    place: str = Field(examples=["tests[3].assert[0].type"])
    reason: str = Field(examples=["Code in assertions is not run."])


class ImportedPrompt(BaseModel):
    """A prompt that was made, with its version."""

    prompt_id: UUID
    prompt_version_id: UUID
    name: str


class PromptfooImported(BaseModel):
    """What was made of a configuration."""

    use_case_id: UUID
    dataset_id: UUID
    items: int = Field(description="How many items the dataset has", examples=[1])
    prompts: list[ImportedPrompt]
    runs: list[EvalRunCreate] = Field(
        description="One for each prompt, to be started with POST /api/v1/eval-runs"
    )
    left_out: list[LeftOut] = Field(description="What was not carried over, with the reason")
    warnings: list[str] = Field(description="What was carried over and has no effect")
