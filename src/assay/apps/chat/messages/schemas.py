"""Wire shapes of chat messages."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from assay.apps.tags.schemas import LONGEST_TAG, TagName
from assay.apps.wire import Text20
from assay.core.schemas import Input, Output, absent
from assay.core.text import JsonObject, Location, Text, located

_TAGS_SCHEMA: dict[str, Any] = {
    "properties": {
        "tags": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_TAG},
            "description": "Kept in step with the tags of the app; each stands there once",
        }
    }
}


def _check_tags(metadata: dict[str, Any]) -> dict[str, Any]:
    if "tags" not in metadata:
        return metadata
    tags = metadata["tags"]
    if not isinstance(tags, list):
        raise located((("tags",), "Takes a list of texts"))
    faults: list[tuple[Location, str]] = [
        (("tags", number), f"Takes a text of 1 to {LONGEST_TAG} characters")
        for number, tag in enumerate(tags)
        if not isinstance(tag, str) or not 1 <= len(tag) <= LONGEST_TAG
    ]
    if faults:
        raise located(*faults)
    return {**metadata, "tags": list(dict.fromkeys(tags))}


Metadata = Annotated[JsonObject, AfterValidator(_check_tags), Field(json_schema_extra=_TAGS_SCHEMA)]
Role = Annotated[Text20, Field(min_length=1, examples=["user"])]


class MessageCreate(Input):
    """A message to add to a session."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "session_id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c",
                    "role": "user",
                    "content": "My knee hurts when I climb stairs.",
                    "metadata": {"tags": ["orthopedics"]},
                }
            ]
        }
    )

    session_id: UUID
    role: Role
    content: Text = ""
    metadata: Metadata | None = None
    status: Text20 = "complete"
    error_message: Text | None = None


class MessageUpdate(Input):
    """What to change in a message; what is not sent stays as it is, null clears."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "error", "error_message": "Timed out"}]}
    )

    role: Role = Field(default_factory=absent)
    content: Text = Field(default_factory=absent)
    metadata: Metadata | None = None
    status: Text20 = Field(default_factory=absent)
    error_message: Text | None = None


class MessageTag(Input):
    """A tag to put on a message."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tag": "orthopedics"}]})

    tag: TagName


class MessageRead(Output):
    """A message."""

    id: UUID
    session_id: UUID
    role: str = Field(examples=["user"])
    content: str = Field(examples=["My knee hurts when I climb stairs."])
    metadata: dict[str, Any] | None = Field(
        validation_alias="message_metadata", examples=[{"tags": ["orthopedics"]}]
    )
    status: str = Field(examples=["complete"])
    error_message: str | None
    created_at: datetime
    user_id: str = Field(examples=["default"])
