"""From pydantic-ai's messages to the gateway's, and from the gateway's answers back."""

import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson
from pydantic_ai.messages import (
    BinaryContent,
    FinishReason,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from assay.agents.tasks.storable import storable
from assay.core.errors import Invalid
from assay.gateway import types as gateway

_FINISHED: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_call",
    "tool_call": "tool_call",
    "error": "error",
}


def gateway_messages(messages: Sequence[ModelMessage], model: str) -> list[gateway.Message]:
    """The conversation as the gateway takes it.

    `model` is the name of the one that is asked: what an answer carries for its own provider goes
    back to that model only.

    Raises:
        Invalid: it holds content of a kind that the gateway cannot send.
    """
    sent: list[gateway.Message] = []
    if instructions := _instructions(messages):
        sent.append({"role": "system", "content": instructions})
    for message in messages:
        if isinstance(message, ModelResponse):
            sent.append(_answer(message, model))
        else:
            sent.extend(_asked(message))
    return sent


def answer_parts(
    answer: gateway.ModelResponse, taken: Iterable[ModelMessage]
) -> list[ModelResponsePart]:
    """What an answer says and calls.

    A call without an id, or with one that `taken` has already, gets one of its own: results are
    kept by these ids, and some servers count them anew in each answer.
    """
    used = {
        part.tool_call_id
        for message in taken
        if isinstance(message, ModelResponse)
        for part in message.tool_calls
    }
    text = storable(answer.text)
    parts: list[ModelResponsePart] = [TextPart(text)] if text else []
    for call in answer.tool_calls:
        call_id = call.id if call.id and call.id not in used else f"call_{uuid.uuid4().hex}"
        used.add(call_id)
        parts.append(ToolCallPart(call.name, storable(call.arguments), call_id))
    return parts


def usage_of(answer: gateway.ModelResponse) -> RequestUsage:
    """Tokens and cost (USD) in pydantic-ai's form."""
    return RequestUsage(
        input_tokens=answer.usage.tokens_in,
        output_tokens=answer.usage.tokens_out,
        cache_read_tokens=answer.usage.tokens_cached,
        cost=None if answer.cost is None else Decimal(str(answer.cost)),
    )


def details_of(
    answer: gateway.ModelResponse, parts: Sequence[ModelResponsePart], model: str
) -> dict[str, Any]:
    """What is kept beside an answer: its cost in USD, and what its provider wants back."""
    details: dict[str, Any] = {"model": model, "cost": answer.cost}
    given = [call.id for call in answer.tool_calls]
    kept = [part.tool_call_id for part in parts if isinstance(part, ToolCallPart)]
    if answer.native is not None and given == kept:
        details["native"] = answer.native
    return details


def finish_of(answer: gateway.ModelResponse) -> FinishReason | None:
    """Why the answer ended, in pydantic-ai's words."""
    return _FINISHED.get(answer.finish_reason or "")


def _instructions(messages: Sequence[ModelMessage]) -> str | None:
    return next(
        (
            message.instructions
            for message in reversed(messages)
            if isinstance(message, ModelRequest) and message.instructions is not None
        ),
        None,
    )


def _answer(message: ModelResponse, model: str) -> gateway.Message:
    text = "".join(part.content for part in message.parts if isinstance(part, TextPart))
    answer: gateway.Message = {"role": "assistant", "content": text}
    if message.tool_calls:
        answer["tool_calls"] = [
            gateway.ToolCall(call.tool_call_id, call.tool_name, _arguments(call)).wire()
            for call in message.tool_calls
        ]
    details = message.provider_details or {}
    if details.get("model") == model and "native" in details:
        answer["native"] = details["native"]
    return answer


def _arguments(call: ToolCallPart) -> str:
    """The arguments as JSON, which servers want in a conversation even where a model failed to."""
    text = call.args_as_json_str()
    try:
        if isinstance(orjson.loads(text), dict):
            return text
    except ValueError:
        pass
    return orjson.dumps({"INVALID_JSON": text}).decode()


def _asked(message: ModelRequest) -> list[gateway.Message]:
    """The results of tools first, as the protocol wants them right behind their calls."""
    results: list[gateway.Message] = []
    others: list[gateway.Message] = []
    for part in message.parts:
        if isinstance(part, ToolReturnPart):
            text, files = part.model_response_str_and_user_content(wrap_if_error=False)
            failed = "" if part.outcome == "success" else "Error: "
            result: gateway.Message = {
                "role": "tool",
                "content": f"{failed}{text}",
                "tool_call_id": part.tool_call_id,
            }
            results.append(result)
            if files:
                others.append({"role": "user", "content": _contents(files)})
        elif isinstance(part, SystemPromptPart):
            others.append({"role": "system", "content": part.content})
        elif isinstance(part, UserPromptPart):
            content = part.content
            asked = content if isinstance(content, str) else _contents(content)
            others.append({"role": "user", "content": asked})
    return results + others


def _contents(contents: Sequence[UserContent]) -> list[dict[str, Any]]:
    return [part for content in contents if (part := _content(content)) is not None]


def _content(content: UserContent) -> dict[str, Any] | None:
    if isinstance(content, str):
        return {"type": "text", "text": content}
    if isinstance(content, TextContent):
        return {"type": "text", "text": content.content}
    if isinstance(content, ImageUrl):
        return {"type": "image_url", "image_url": {"url": content.url}}
    if isinstance(content, BinaryContent) and content.is_image:
        return {"type": "image_url", "image_url": {"url": content.data_uri}}
    if isinstance(content, BinaryContent) and content.is_audio:
        sound = {"data": content.base64, "format": content.format}
        return {"type": "input_audio", "input_audio": sound}
    if getattr(content, "kind", None) == "cache-point":
        return None
    raise Invalid(
        f"a message holds content of the kind {type(content).__name__}, which cannot be sent; "
        "text, images and audio can"
    )
