"""Wire shapes of differences between versions."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from assay.core.schemas import Count, Output
from assay.playground.prompts.models import PromptType


class _Named(BaseModel):
    """Has fields called `from`, which Python does not take as a name."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)


class DiffedVersion(Output):
    """One of the two versions."""

    id: UUID
    version_number: int = Field(examples=[3])
    type: PromptType
    labels: list[str] = Field(examples=[["production"]])
    commit_message: str | None
    created_at: datetime
    created_by: str | None = Field(examples=["default"])


class TextPiece(BaseModel):
    """A piece of text that stayed, was put in, or was taken out."""

    op: Literal["equal", "insert", "delete"]
    text: str = Field(examples=["refund"])


class MessageDiff(BaseModel):
    """A message, or the one text of a version of type text."""

    change: Literal["equal", "changed", "added", "removed"]
    place_from: Count | None = Field(description="Its place in the first version, from 0")
    place_to: Count | None = Field(description="Its place in the second version, from 0")
    role_from: str | None = Field(examples=["user"])
    role_to: str | None = Field(examples=["user"])
    unified: str = Field(
        description="By lines, as a unified diff without file names",
        examples=["@@ -1 +1 @@\n-Sort this: {{ message }}\n+Sort this message: {{ message }}\n"],
    )
    words: list[TextPiece] = Field(description="The whole text, word by word")


class ValueChange(_Named):
    """A value that was added, removed or changed."""

    path: list[str] = Field(
        description="The way to it through objects; empty where it is the whole",
        examples=[["temperature"]],
    )
    change: Literal["added", "removed", "changed"]
    from_: Any = Field(alias="from", description="Null where it was added")
    to: Any = Field(description="Null where it was removed")


class VariablesDiff(BaseModel):
    """The variables of the templates."""

    added: list[str] = Field(examples=[["language"]])
    removed: list[str]


class VersionDiff(_Named):
    """What is different between two versions of a prompt."""

    from_: DiffedVersion = Field(alias="from")
    to: DiffedVersion
    identical: bool = Field(description="Whether nothing at all is different")
    messages: list[MessageDiff] = Field(
        description="In the order of the second version; removed ones where they were"
    )
    model_defaults: list[ValueChange]
    variables_schema: list[ValueChange]
    variables: VariablesDiff
