from typing import Any

import pytest

from assay.gateway.errors import UnknownModel
from assay.gateway.providers.builtin import BuiltinModel
from assay.gateway.service import Gateway
from assay.gateway.types import ModelRequest, ModelResponse, TextDelta, Usage


def request(*messages: tuple[str, Any], **more: Any) -> ModelRequest:
    made: Any = [{"role": role, "content": content} for role, content in messages]
    return ModelRequest(made, **more)


async def test_echo_answers_with_the_last_user_message(gateway: Gateway) -> None:
    response = await gateway.model("builtin/echo").complete(
        request(("system", "Be brief."), ("user", "one two three"), ("assistant", "no"))
    )
    assert response.text == "one two three"
    assert response.usage == Usage(tokens_in=6, tokens_out=3)
    assert (response.cost, response.attempts, response.finish_reason) == (0.0, 1, "stop")


async def test_of_content_parts_the_text_counts() -> None:
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,x"}},
        {"type": "text", "text": "here"},
    ]
    assert (await BuiltinModel("echo").complete(request(("user", parts)))).text == "look\nhere"


async def test_nothing_said_is_nothing_answered() -> None:
    model = BuiltinModel("echo")
    assert (await model.complete(request(("system", "x")))).text == ""
    assert [type(part) for part in [part async for part in model.stream(request())]] == [
        ModelResponse
    ]


async def test_a_stream_is_one_piece_and_the_whole() -> None:
    first, last = [part async for part in BuiltinModel("echo").stream(request(("user", "a b")))]
    assert first == TextDelta("a b")
    assert isinstance(last, ModelResponse)
    assert last.text == "a b"
    assert last.first_token_ms is not None


async def test_an_answer_that_is_json_is_parsed_where_a_schema_asks_for_it() -> None:
    model = BuiltinModel("echo")
    asked = request(("user", '{"a": 1}'), output_schema={"type": "object"})
    assert (await model.complete(asked)).output_json == {"a": 1}
    assert (await model.complete(request(("user", '{"a": 1}')))).output_json is None


def test_an_unknown_program_names_the_known() -> None:
    with pytest.raises(UnknownModel, match=r"no model builtin/gpt; there are builtin/echo, "):
        BuiltinModel("gpt")
