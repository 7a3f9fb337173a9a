"""Wire shapes of prompts."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from assay.apps.wire import AppName, Text20, Text50, Text200
from assay.core.schemas import Input, Output, absent
from assay.core.text import Text

PromptName = Annotated[Text200, Field(min_length=1)]
PromptType = Annotated[Text50, Field(min_length=1)]
PromptText = Annotated[Text, Field(min_length=1)]


class AppPromptCreate(Input):
    """A prompt to store as the next version of its type."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "app_id": "voice-rx",
                    "prompt_type": "transcription",
                    "name": "Transcription, terse",
                    "prompt": "Write down what is said, word for word, in {{ language }}.",
                    "description": "Without the list of terms",
                    "source_type": "upload",
                }
            ]
        }
    )

    app_id: AppName
    prompt_type: PromptType
    name: PromptName
    prompt: PromptText
    description: Text = ""
    is_default: bool = False
    source_type: Text20 | None = None


class AppPromptUpdate(Input):
    """What to change in a prompt; what is not sent stays as it is, and so does its version."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Transcription, short"}]})

    name: PromptName = Field(default_factory=absent)
    prompt: PromptText = Field(default_factory=absent)
    description: Text = Field(default_factory=absent)
    is_default: bool = Field(default_factory=absent)
    source_type: Text20 | None = None


class AppPromptRead(Output):
    """A version of a prompt."""

    id: int
    app_id: str = Field(examples=["voice-rx"])
    prompt_type: str = Field(examples=["transcription"])
    version: int = Field(ge=1, description="Counts up for each app, type and owner")
    name: str
    prompt: str
    description: str
    is_default: bool = Field(description="A default cannot be deleted")
    source_type: str | None
    created_at: datetime
    updated_at: datetime
    user_id: str
