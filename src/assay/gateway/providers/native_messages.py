"""From the shapes of the OpenAI chat protocol to pydantic-ai's."""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.settings import ModelSettings

from assay.gateway.errors import RequestRefused
from assay.gateway.types import Message, text_of

Json = Mapping[str, Any]

# Our names, which are those of the OpenAI chat protocol, and theirs.
_SETTINGS = {
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop_sequences",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "reasoning_effort": "thinking",
    "service_tier": "service_tier",
    "extra_body": "extra_body",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
}


def native_settings(name: str, parameters: Json) -> ModelSettings:
    """The settings for a call; those of one provider, such as `anthropic_effort`, stay as named.

    Raises:
        RequestRefused: a parameter that is not known.
    """
    provider = name.partition("/")[0]
    settings: dict[str, Any] = {"max_retries": 0}  # our own retries know about slots
    for parameter, value in parameters.items():
        if parameter.startswith(f"{provider.replace('-', '_')}_"):
            settings[parameter] = value
        elif parameter in _SETTINGS:
            settings[_SETTINGS[parameter]] = value
        else:
            raise RequestRefused(
                f"{name} takes no parameter {parameter!r}; it takes {', '.join(_SETTINGS)}"
            )
    if isinstance(settings.get("stop_sequences"), str):
        settings["stop_sequences"] = [settings["stop_sequences"]]
    return cast("ModelSettings", settings)


def native_messages(messages: Sequence[Message]) -> list[ModelMessage]:
    """The conversation; what follows on each other and is not the assistant's is one request.

    Raises:
        RequestRefused: a content part of a kind that is not known, or one that is not whole.
    """
    converted: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    called: dict[str, str] = {}
    for message in messages:
        content = message["content"]
        if message["role"] == "assistant":
            if parts:
                converted.append(ModelRequest(parts))
                parts = []
            answer = _answer(message)
            called.update((call.tool_call_id, call.tool_name) for call in answer.tool_calls)
            converted.append(answer)
        elif message["role"] == "tool":
            parts.append(_result(message, called))
        elif message["role"] == "system":
            parts.append(SystemPromptPart(text_of(message)))
        elif isinstance(content, str):
            parts.append(UserPromptPart(content))
        else:
            parts.append(UserPromptPart([_part(part) for part in content]))
    if parts:
        converted.append(ModelRequest(parts))
    return converted


def stored_answer(answer: ModelResponse) -> Any:
    """An answer as JSON, with all that its provider wants to see again."""
    return ModelMessagesTypeAdapter.dump_python([answer], mode="json")[0]


def _answer(message: Message) -> ModelResponse:
    stored = message.get("native")
    if stored is not None:
        try:
            answer = ModelMessagesTypeAdapter.validate_python([stored])[0]
        except ValidationError as error:
            raise RequestRefused(f"a stored answer cannot be read: {error}") from error
        if isinstance(answer, ModelResponse):
            return answer
    calls = message.get("tool_calls", ())
    text = text_of(message)
    said = [TextPart(text)] if text or not calls else []
    try:
        made = [
            ToolCallPart(call["function"]["name"], call["function"]["arguments"], call["id"])
            for call in calls
        ]
    except (LookupError, TypeError) as error:
        raise RequestRefused(f"a tool call in a message is not whole: {error}") from error
    return ModelResponse([*said, *made])


def _result(message: Message, called: Mapping[str, str]) -> ToolReturnPart:
    call = message.get("tool_call_id", "")
    if call not in called:
        raise RequestRefused(f"the message of a tool answers the call {call!r}, which is not there")
    return ToolReturnPart(called[call], text_of(message), call)


def _part(part: Json) -> UserContent:
    kind = part.get("type")
    try:
        if kind == "text":
            return str(part["text"])
        if kind == "image_url":
            url = part["image_url"]["url"]
            return BinaryContent.from_data_uri(url) if url.startswith("data:") else ImageUrl(url)
        if kind == "input_audio":
            audio = part["input_audio"]
            media_type = "audio/mpeg" if audio["format"] == "mp3" else f"audio/{audio['format']}"
            return BinaryContent(b64decode(audio["data"], validate=True), media_type=media_type)
    except (LookupError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise RequestRefused(f"a content part of type {kind} is not whole: {error}") from error
    raise RequestRefused(
        f"there are no content parts of type {kind!r}; there are text, image_url and input_audio"
    )
