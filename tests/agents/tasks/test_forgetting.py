from typing import Any

from assay.agents.tasks.forgetting import LEFT_OUT, shortened
from assay.gateway.types import Message


def conversation(turns: int, size: int = 1000) -> list[Message]:
    messages: list[Message] = [{"role": "user", "content": "the task"}]
    for number in range(turns):
        call: Any = {"id": f"c{number}", "function": {"name": "look", "arguments": "{}"}}
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        messages.append({"role": "tool", "content": "x" * size, "tool_call_id": f"c{number}"})
    return messages


def test_a_conversation_that_fits_stays_as_it_is() -> None:
    messages = conversation(20)
    assert shortened(messages, 30_000) == messages


def test_the_oldest_results_go_and_the_newest_stay() -> None:
    short = shortened(conversation(40), 30_000)
    results = [message["content"] for message in short if message["role"] == "tool"]
    assert results[0] == LEFT_OUT
    assert results[-8:] == ["x" * 1000] * 8
    assert sum(map(len, map(str, results))) < 30_000
    assert len(short) == 81


def test_the_beginning_stays_the_same_from_turn_to_turn() -> None:
    changes = 0
    before: list[Message] = []
    for turns in range(1, 100):
        now = shortened(conversation(turns), 30_000)
        changes += now[: len(before)] != before
        before = now
    assert 0 < changes < 8


def test_short_results_are_not_made_longer() -> None:
    messages = conversation(60, size=10)
    assert shortened(messages, 100) == messages
