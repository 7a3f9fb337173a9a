"""Keeps a conversation within what a model can read, by leaving out old results of tools."""

from collections.abc import Sequence

from assay.gateway.types import Message, text_of

ROOM = 400_000
"""Characters of a conversation; about 100,000 tokens."""

LEFT_OUT = "[an earlier result, left out to save room; call the tool again if you need it]"

# Results that stay in any case: what the model is at now.
_KEPT = 8


def shortened(messages: Sequence[Message], room: int = ROOM) -> list[Message]:
    """The conversation with old results left out, where it is longer than `room` characters.

    Whenever it grows beyond `room` all results but the last few go at once, so that between two
    such times its beginning stays the same, which is what providers' prompt caches live on.
    """
    left_out: set[int] = set()
    results: list[int] = []
    size = 0
    for number, message in enumerate(messages):
        size += _size(message)
        if message["role"] == "tool":
            results.append(number)
        if size > room and len(results) > _KEPT:
            gone, results = results[:-_KEPT], results[-_KEPT:]
            size -= sum(max(0, _size(messages[each]) - len(LEFT_OUT)) for each in gone)
            left_out.update(gone)
    return [
        _emptied(message) if number in left_out else message
        for number, message in enumerate(messages)
    ]


def _emptied(message: Message) -> Message:
    if len(text_of(message)) <= len(LEFT_OUT):
        return message
    return {**message, "content": LEFT_OUT}


def _size(message: Message) -> int:
    calls = message.get("tool_calls", ())
    return len(text_of(message)) + sum(len(call["function"]["arguments"]) for call in calls)
