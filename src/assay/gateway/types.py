"""What goes into a model and what comes out, the same for every provider."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, Protocol, TypedDict

import orjson


class Message(TypedDict):
    """One message of a conversation, in the shape of the OpenAI chat protocol.

    `content` is text, or a list of content parts: `{"type": "text", "text": ...}`,
    `{"type": "image_url", "image_url": {"url": ...}}` (a web address or a data URL) and
    `{"type": "input_audio", "input_audio": {"data": base64, "format": "wav"}}`.

    An answer that called tools has `tool_calls`, each as `ToolCall.wire` gives it. What came of
    each call is a message of the role `tool` with its `tool_call_id`. `native` is that of
    `ModelResponse`, for the same model only.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]]
    name: NotRequired[str]
    tool_calls: NotRequired[list[dict[str, Any]]]
    tool_call_id: NotRequired[str]
    native: NotRequired[Any]


@dataclass(slots=True, frozen=True)
class Tool:
    """Something that a model may call: its name, what it is for, and its JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(slots=True, frozen=True)
class ToolCall:
    """A call of a tool by a model; `arguments` is the text it wrote, which need not be JSON."""

    id: str
    name: str
    arguments: str

    def wire(self) -> dict[str, Any]:
        """The call as it stands in a message."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(slots=True, frozen=True)
class ModelRequest:
    """One question to a model.

    Attributes:
        messages: the conversation so far; the model answers the last one.
        parameters: temperature, max_tokens, top_p, seed, stop and so on, by their names in the
            OpenAI chat protocol.
        output_schema: a JSON Schema that the answer has to follow, or `None` for free text.
        repetition: which time the same is asked on purpose; an answer from the cache is never
            one to another repetition.
        tools: what the model may call; which of them it must is the parameter `tool_choice`.
    """

    messages: list[Message]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] | None = None
    repetition: int = 0
    tools: Sequence[Tool] = ()


@dataclass(slots=True)
class Usage:
    """Tokens of one call as the provider counted them.

    Attributes:
        tokens_in: of the prompt, cached ones included.
        tokens_out: of the answer, reasoning included.
        tokens_cached: those of `tokens_in` that came from the provider's prompt cache and are
            charged at its lower price.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0


@dataclass(slots=True, frozen=True)
class Original:
    """What an answer took and cost when it was made; `cost` as in `ModelResponse`."""

    latency_ms: float
    cost: float | None


@dataclass(slots=True)
class ModelResponse:
    """A model's whole answer.

    Attributes:
        text: the answer; a refusal is an answer too.
        usage: tokens, zero where the provider does not count.
        latency_ms: from sending the successful attempt to having its whole answer, without any
            wait for a slot, a rate limit or an earlier attempt.
        first_token_ms: the same to the first piece of text, where streamed.
        finish_reason: `stop`, `length`, `content_filter`, `tool_calls`, ... as the provider gives
            it.
        tool_calls: the tools that the model wants called, in its order.
        attempts: how often the provider was asked, the successful time included.
        cost: USD at list price; `None` where the price is not known, 0.0 where it is free.
        logprobs: the natural logarithm of the probability of each token of the answer, where
            `logprobs: true` asked for them and the provider gives them; not where streamed.
        output_json: the answer parsed, where `output_schema` was given and the text is JSON.
        original: set where the answer comes from the cache, so that nobody was asked now:
            `cost` is then 0, and `latency_ms` the time of the look-up.
        native: an answer to a request with tools as its provider wants it back in the message
            that repeats it, such as with signatures of its reasoning; JSON.
    """

    text: str
    usage: Usage
    latency_ms: float
    first_token_ms: float | None = None
    finish_reason: str | None = None
    attempts: int = 1
    cost: float | None = None
    logprobs: list[float] | None = None
    output_json: Any = None
    original: Original | None = None
    tool_calls: Sequence[ToolCall] = ()
    native: Any = None

    def parse(self) -> None:
        """Set `output_json`, if the text is JSON; a model that breaks a schema answered too."""
        with suppress(ValueError):
            self.output_json = orjson.loads(self.text)


@dataclass(slots=True, frozen=True)
class TextDelta:
    """The next piece of text of a streamed answer."""

    text: str


StreamPart = TextDelta | ModelResponse
"""A stream is any number of `TextDelta` and then, last, the whole `ModelResponse`.

Calls of tools are only in the last part, whole.
"""


def text_of(message: Message) -> str:
    """The text of a message; parts of it that are not text are left out."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


class Model(Protocol):
    """Something that answers requests; wrappers are models around a model."""

    name: str
    """`provider/model`"""

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece.

        Raises:
            ModelError: see `assay.gateway.errors`.
        """
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; the last part is the whole `ModelResponse`.

        Leave early only through `contextlib.aclosing`, which gives the slot back at once.

        Raises:
            ModelError: before the first part, or in the middle of the answer.
        """
        ...
