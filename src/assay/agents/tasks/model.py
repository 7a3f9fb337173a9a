"""A model of the gateway, as pydantic-ai's agents take one.

Importing pydantic-ai takes seconds: load this module in a thread.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext

from assay.agents.tasks.conversation import (
    answer_parts,
    details_of,
    finish_of,
    gateway_messages,
    usage_of,
)
from assay.agents.tasks.forgetting import ROOM, shortened
from assay.gateway import types as gateway

Spent = Callable[[float | None, int, int], None]
"""Takes the cost of an answer (USD, `None` where unknown), and its tokens in and out."""

# Their names of settings, and ours, which are those of the OpenAI chat protocol.
_PARAMETERS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop_sequences": "stop",
    "parallel_tool_calls": "parallel_tool_calls",
    "tool_choice": "tool_choice",
}


class GatewayModel(Model[Any]):
    """Asks a model of the gateway, with its pace, retries, price and log.

    The model is never made to call a tool (`tool_choice` goes out only where it is set): models
    that reason refuse that, and one that answers with text alone is told what is missing.
    """

    def __init__(
        self,
        model: gateway.Model,
        parameters: Mapping[str, Any] | None = None,
        spent: Spent | None = None,
        room: int = ROOM,
    ) -> None:
        """Take the model.

        Args:
            model: as `Gateway.model` gives it.
            parameters: sent with each request, by the gateway's names.
            spent: is told what each answer took, before anything else happens with it.
            room: the characters of a conversation beyond which old results are left out.
        """
        super().__init__()
        self._gateway_model = model
        self._parameters = dict(parameters or {})
        self._spent = spent
        self._room = room

    @property
    def model_name(self) -> str:
        """`provider/model`."""
        return self._gateway_model.name

    @property
    def system(self) -> str:
        """The provider."""
        return self.model_name.partition("/")[0]

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Answer in one piece.

        Raises:
            ModelError: see `assay.gateway.errors`.
        """
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        answer = await self._gateway_model.complete(self._request(messages, settings, parameters))
        self._tell(answer)
        parts = answer_parts(answer, messages)
        return ModelResponse(
            parts,
            usage=usage_of(answer),
            model_name=self.model_name,
            provider_name=self.system,
            provider_details=details_of(answer, parts, self.model_name),
            finish_reason=finish_of(answer),
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Answer piece by piece: text as it comes, calls of tools whole at the end.

        Raises:
            ModelError: see `assay.gateway.errors`.
        """
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        request = self._request(messages, settings, parameters)
        async with aclosing(self._gateway_model.stream(request)) as parts:
            yield _Streamed(parameters, self.model_name, messages, parts, self._tell)

    def _request(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> gateway.ModelRequest:
        given = {
            ours: value
            for name, value in (settings or {}).items()
            if (ours := _PARAMETERS.get(name)) is not None
        }
        tools = [*parameters.function_tools, *parameters.output_tools]
        return gateway.ModelRequest(
            shortened(gateway_messages(messages, self.model_name), self._room),
            {**self._parameters, **given},
            tools=[
                gateway.Tool(tool.name, tool.description or "", tool.parameters_json_schema)
                for tool in tools
            ],
        )

    def _tell(self, answer: gateway.ModelResponse) -> None:
        if self._spent is not None:
            self._spent(answer.cost, answer.usage.tokens_in, answer.usage.tokens_out)


@dataclass
class _Streamed(StreamedResponse):
    """An answer of the gateway as it comes."""

    _name: str
    _messages: Sequence[ModelMessage]
    _parts: AsyncIterator[gateway.StreamPart]
    _tell: Callable[[gateway.ModelResponse], None]

    def __post_init__(self) -> None:
        self._asked_at = datetime.now(UTC)

    @property
    def model_name(self) -> str:
        return self._name

    @property
    def provider_name(self) -> str:
        return self._name.partition("/")[0]

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self._asked_at

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        async for part in self._parts:
            if isinstance(part, gateway.TextDelta):
                for event in self._parts_manager.handle_text_delta(
                    vendor_part_id="text", content=part.text
                ):
                    yield event
                continue
            self._tell(part)
            self._usage = usage_of(part)
            self.finish_reason = finish_of(part)
            made = answer_parts(part, self._messages)
            self.provider_details = details_of(part, made, self._name)
            for call in made:
                if isinstance(call, ToolCallPart):
                    yield self._parts_manager.handle_tool_call_part(
                        vendor_part_id=call.tool_call_id,
                        tool_name=call.tool_name,
                        args=call.args_as_json_str(),
                        tool_call_id=call.tool_call_id,
                    )
