"""Wire shapes of versions, labels and rendered messages."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from assay.core.schemas import Input, Output
from assay.core.templates import TemplateFault
from assay.core.text import JsonObject, Text, located
from assay.core.unions import one_of
from assay.grading.json_schemas import JsonSchema
from assay.playground.prompts.models import PromptType
from assay.playground.prompts.rendering import PromptRenderer

CHAT_EXAMPLE: list[Any] = [
    {"role": "system", "content": "Answer with one word: refund, delivery or other."},
    {"role": "user", "content": "{{ message }}"},
]

Label = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9._-]{0,99}$", examples=["production"])]
"""Starts with a letter, so that it is never taken for a number."""

VersionReference = Annotated[
    str,
    Field(
        pattern="^([0-9]{1,9}|[A-Za-z][A-Za-z0-9._-]{0,99})$",
        description="A version's number, or a label",
        examples=["3", "production"],
    ),
]


class TextPart(Input):
    """A piece of text; it is a template."""

    type: Literal["text"]
    text: Text


class ImageUrl(Input):
    """Where the image is: a web address or a data URL; it is a template."""

    url: Text
    detail: Literal["auto", "low", "high"] = "auto"


class ImagePart(Input):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Audio(Input):
    """Sound in base64; it is a template."""

    data: Text
    format: Literal["wav", "mp3"]


class AudioPart(Input):
    """A recording."""

    type: Literal["input_audio"]
    input_audio: Audio


class ContentPart(BaseModel):
    """What stands for a part of no known type, to say which types there are."""

    type: Literal["text", "image_url", "input_audio"]


_PARTS: dict[object, type[BaseModel]] = {
    "text": TextPart,
    "image_url": ImagePart,
    "input_audio": AudioPart,
}


def _part_type(value: Any) -> type[BaseModel]:
    kind = value.get("type") if isinstance(value, dict) else None
    return _PARTS.get(kind, ContentPart) if isinstance(kind, str) else ContentPart


AnyPart = Annotated[TextPart | ImagePart | AudioPart, one_of(_part_type)]
Parts = Annotated[list[AnyPart], Field(min_length=1)]


class TemplateMessage(Input):
    """One message of a chat; its text, or each text in its parts, is a template."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[
        Text | Parts, one_of(lambda value: Parts if isinstance(value, list) else Text)
    ]


class VersionCreate(Input):
    """A version to make; it gets the next number and never changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "chat",
                    "template_messages": CHAT_EXAMPLE,
                    "model_defaults": {"temperature": 0},
                    "commit_message": "Ask for one word only",
                },
                {"type": "text", "template_text": "Sort this message: {{ message }}"},
            ]
        }
    )

    type: PromptType
    template_text: Text | None = Field(default=None, description="For type text")
    template_messages: list[TemplateMessage] | None = Field(
        default=None, min_length=1, max_length=1000, description="For type chat"
    )
    model_defaults: JsonObject | None = Field(
        default=None, description="Parameters for models; a run's own come first"
    )
    variables_schema: JsonSchema | None = Field(
        default=None, description="JSON Schema of the variables; without it, made from the template"
    )
    commit_message: Text | None = Field(default=None, description="What is new in this version")

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_template_fits_type()
        try:
            renderer = self.renderer()
        except TemplateFault as fault:
            raise located(*(((f.place,), f.message) for f in fault.errors)) from None
        self._check_schema_covers(renderer.variables)
        return self

    def messages(self) -> list[dict[str, Any]] | None:
        """The message templates as they are stored."""
        if self.template_messages is None:
            return None
        return [message.model_dump(exclude_unset=True) for message in self.template_messages]

    def renderer(self) -> PromptRenderer:
        """The renderer of the version to be."""
        return PromptRenderer(self.type, self.template_text, self.messages())

    def _check_template_fits_type(self) -> None:
        wanted, other = "template_text", "template_messages"
        if self.type is PromptType.chat:
            wanted, other = other, wanted
        faults = []
        if getattr(self, wanted) is None:
            faults.append(((wanted,), f"A version of type {self.type} needs this"))
        if getattr(self, other) is not None:
            faults.append(((other,), f"A version of type {self.type} takes {wanted} instead"))
        if faults:
            raise located(*faults)

    def _check_schema_covers(self, variables: frozenset[str]) -> None:
        if self.variables_schema is None:
            return
        properties = self.variables_schema.get("properties", {})
        missing = sorted(variables - properties.keys())
        if missing:
            message = f"The templates use variables that are not in here: {', '.join(missing)}"
            raise located((("variables_schema", "properties"), message))


class MessageRead(TypedDict):
    """One message: a text, or a list of content parts as in the OpenAI chat protocol."""

    role: str
    content: str | list[dict[str, Any]]


class VersionRead(Output):
    """A version of a prompt."""

    id: UUID
    prompt_id: UUID
    version_number: int = Field(examples=[3])
    type: PromptType
    template_text: str | None
    template_messages: list[MessageRead] | None = Field(examples=[CHAT_EXAMPLE])
    model_defaults: dict[str, Any] | None = Field(examples=[{"temperature": 0}])
    variables_schema: dict[str, Any] | None = Field(
        examples=[{"type": "object", "properties": {"message": {}}, "required": ["message"]}]
    )
    labels: list[str] = Field(examples=[["production"]])
    commit_message: str | None
    created_at: datetime
    created_by: str | None = Field(examples=["default"])


class LabelUpdate(Input):
    """Which version a label is to name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version_number": 3}]})

    version_number: int = Field(strict=True, ge=1, le=2**31 - 1)


class RenderRequest(Input):
    """The variables to fill in."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"variables": {"message": "Where is my parcel?"}}]}
    )

    variables: JsonObject = Field(default={})


class RenderResult(BaseModel):
    """The messages exactly as a model gets them."""

    messages: list[MessageRead] = Field(
        examples=[[CHAT_EXAMPLE[0], {"role": "user", "content": "Where is my parcel?"}]]
    )
