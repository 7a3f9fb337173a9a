from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assay.gateway.providers.openai_tools import CallPieces, calls_in
from assay.gateway.types import Model, ModelRequest, ModelResponse, TextDelta, Tool, ToolCall
from assay.testing.script import Call, Turn
from assay.testing.scripted_model import ScriptedModelServer

Scripted = Callable[..., Awaitable[tuple[Model, ScriptedModelServer]]]

LOOK = Tool("look", "Look at a place.", {"type": "object", "properties": {"at": {}}})


def asking(**more: Any) -> ModelRequest:
    return ModelRequest([{"role": "user", "content": "where is it?"}], tools=[LOOK], **more)


CALLS = Turn("Let me see.", [Call("look", {"at": "the shed"}, "c1"), Call("look", "not js", "c2")])
WANTED = [ToolCall("c1", "look", '{"at":"the shed"}'), ToolCall("c2", "look", "not js")]


async def test_calls_of_tools_come_back(scripted: Scripted) -> None:
    model, server = await scripted(turns=[CALLS, Turn("There.")])
    request = asking()
    response = await model.complete(request)
    assert response.text == "Let me see."
    assert response.tool_calls == WANTED
    assert response.finish_reason == "tool_calls"
    assert server.last_request["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "look",
                "description": "Look at a place.",
                "parameters": {"type": "object", "properties": {"at": {}}},
            },
        }
    ]
    request.messages.append(
        {
            "role": "assistant",
            "content": response.text,
            "tool_calls": [call.wire() for call in response.tool_calls],
        }
    )
    for call_id, result in (("c1", "a shed"), ("c2", "no JSON")):
        request.messages.append({"role": "tool", "content": result, "tool_call_id": call_id})
    answer = await model.complete(request)
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ("There.", (), "stop")
    assert server.last_request["messages"] == request.messages


async def test_streamed_calls_come_whole_at_the_end(scripted: Scripted) -> None:
    model, _ = await scripted(turns=[CALLS])
    *pieces, last = [part async for part in model.stream(asking())]
    assert [part.text for part in pieces if isinstance(part, TextDelta)] == ["Let ", "me ", "see."]
    assert isinstance(last, ModelResponse)
    assert last.tool_calls == WANTED
    assert last.finish_reason == "tool_calls"


def test_odd_shapes_are_read() -> None:
    whole = {"function": {"name": "look", "arguments": {"at": "home"}}}
    assert calls_in([whole]) == [ToolCall("", "look", '{"at":"home"}')]
    assert calls_in([{"id": None, "function": {"name": "look"}}]) == [ToolCall("", "look", "")]
    pieces = CallPieces()
    pieces.add([whole, whole])
    assert pieces.whole() == calls_in([whole, whole])


@pytest.mark.parametrize("calls", [[{}], [{"function": {}}], ["x"]])
def test_what_is_no_call_is_refused(calls: list[Any]) -> None:
    with pytest.raises((LookupError, TypeError, AttributeError)):
        calls_in(calls)
