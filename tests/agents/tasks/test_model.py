import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic_ai import Agent, BinaryContent, ToolReturn
from pydantic_ai.messages import (
    DocumentUrl,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters

from assay.agents.tasks.conversation import gateway_messages
from assay.agents.tasks.model import GatewayModel
from assay.core.errors import Invalid
from assay.gateway import types as gateway
from assay.gateway.errors import RequestRefused
from assay.testing.script import Call, Turn

Play = Callable[..., Awaitable[Any]]
PIXEL = BinaryContent(b"not really a picture", media_type="image/png")


async def test_tools_are_called_and_answered_in_the_protocol(play: Play) -> None:
    model, server = await play(
        Turn("Let me see.", [Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4})]),
        Turn("It is 3 and 7."),
        parameters={"temperature": 0.5},
    )
    agent = Agent(model, instructions="Add.")

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    result = await agent.run("What is it?")
    assert result.output == "It is 3 and 7."
    system, user, answer, *results = server.last_request["messages"]
    assert (system["content"], user["content"]) == ("Add.", "What is it?")
    assert answer["content"] == "Let me see."
    assert [call["function"] for call in answer["tool_calls"]] == [
        {"name": "add", "arguments": '{"a":1,"b":2}'},
        {"name": "add", "arguments": '{"a":3,"b":4}'},
    ]
    assert [(m["role"], m["content"]) for m in results] == [("tool", "3"), ("tool", "7")]
    assert [m["tool_call_id"] for m in results] == [call["id"] for call in answer["tool_calls"]]
    assert server.last_request["temperature"] == 0.5
    (tool,) = server.last_request["tools"]
    assert tool["function"]["description"] == "Add two numbers."
    assert set(tool["function"]["parameters"]["properties"]) == {"a", "b"}
    assert "tool_choice" not in server.last_request


async def test_what_it_took_is_told(play: Play) -> None:
    model, _ = await play(Turn("four words of answer"))
    spent: list[object] = []
    told = GatewayModel(model._gateway_model, spent=lambda *what: spent.append(what))
    result = await Agent(told).run("two words")
    assert spent == [(None, 2, 4)]
    assert (result.usage.input_tokens, result.usage.output_tokens) == (2, 4)
    response = result.all_messages()[-1]
    assert isinstance(response, ModelResponse)
    assert response.provider_details == {"model": told.model_name, "cost": None}
    assert response.finish_reason == "stop"


async def test_a_streamed_answer_has_text_at_once_and_calls_at_the_end(play: Play) -> None:
    model, _ = await play(
        Turn("I will add.", [Call("add", {"a": 1, "b": 2})]), Turn("It is three.")
    )
    agent = Agent(model)
    pieces: list[str] = []

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    async with agent.iter("What is 1 + 2?") as run:
        async for node in run:
            if Agent.is_model_request_node(node):
                async with node.stream(run.ctx) as stream:
                    pieces += [
                        text async for text in stream.stream_text(delta=True, debounce_by=None)
                    ]
    assert run.result is not None
    assert run.result.output == "It is three."
    assert "".join(pieces) == "I will add.It is three."
    assert len(pieces) > 4
    assert run.usage.output_tokens == 6


async def test_ids_that_come_again_are_made_anew(play: Play) -> None:
    again = Turn(calls=[Call("look", {}, "call_0"), Call("look", {}, "call_0")])
    model, server = await play(again, again, Turn("done"))
    agent = Agent(model)

    @agent.tool_plain
    def look() -> str:
        return "seen"

    result = await agent.run("look")
    ids = [
        call.tool_call_id
        for message in result.all_messages()
        if isinstance(message, ModelResponse)
        for call in message.tool_calls
    ]
    assert ids[0] == "call_0"
    assert len(set(ids)) == 4
    results = [m["tool_call_id"] for m in server.last_request["messages"] if m["role"] == "tool"]
    assert results == ids


async def test_pictures_reach_the_model(play: Play) -> None:
    model, server = await play(Turn(calls=[Call("draw", {})]), Turn("nice"))
    agent = Agent(model)

    @agent.tool_plain
    def draw() -> ToolReturn[str]:
        return ToolReturn("drawn", content=["see:", PIXEL])

    await agent.run(["what is it?", PIXEL])
    url = f"data:image/png;base64,{base64.b64encode(PIXEL.data).decode()}"
    image = {"type": "image_url", "image_url": {"url": url}}
    asked, _, result, shown = server.last_request["messages"]
    assert asked["content"] == [{"type": "text", "text": "what is it?"}, image]
    assert result["content"] == "drawn"
    assert image in shown["content"]


def test_content_that_cannot_be_sent_is_named() -> None:
    document = UserPromptPart([DocumentUrl("https://example.com/a.pdf")])
    with pytest.raises(Invalid, match="DocumentUrl, which cannot be sent"):
        gateway_messages([ModelRequest([document])], "p/m")


def test_arguments_that_are_no_json_are_sent_as_json() -> None:
    answer = ModelResponse([ToolCallPart("look", '{"a": ', "1")])
    (sent,) = gateway_messages([answer], "p/m")
    assert sent["tool_calls"][0]["function"]["arguments"] == '{"INVALID_JSON":"{\\"a\\": "}'


class Native:
    """A model of a provider that wants its answers back as they were."""

    name = "native/model"

    def __init__(self) -> None:
        self.asked: list[gateway.ModelRequest] = []

    async def complete(self, request: gateway.ModelRequest) -> gateway.ModelResponse:
        self.asked.append(request)
        calls = [] if len(self.asked) > 1 else [gateway.ToolCall("c1", "look", "{}")]
        return gateway.ModelResponse(
            "" if calls else "done",
            gateway.Usage(5, 2, 1),
            1.0,
            cost=0.25,
            tool_calls=calls,
            native={"signature": "xyz"},
        )

    def stream(self, request: gateway.ModelRequest) -> Any:
        raise NotImplementedError


async def test_what_a_provider_wants_back_goes_back_to_it_only() -> None:
    native = Native()
    agent = Agent(GatewayModel(native))

    @agent.tool_plain
    def look() -> str:
        return "seen"

    result = await agent.run("look")
    assert native.asked[1].messages[1]["native"] == {"signature": "xyz"}
    stored = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())
    assert result.usage.cost is not None
    assert float(result.usage.cost) == 0.5
    assert "native" in gateway_messages(stored, "native/model")[1]
    assert "native" not in gateway_messages(stored, "other/model")[1]


async def test_errors_of_the_gateway_come_as_they_are(play: Play) -> None:
    model, _ = await play(Turn("x"), api_key="right")
    with pytest.raises(RequestRefused, match="Incorrect API key"):
        await model.request([ModelRequest([UserPromptPart("hi")])], None, ModelRequestParameters())
