"""Tools in the OpenAI chat protocol: how they are offered, and how calls of them come back."""

from collections.abc import Sequence
from typing import Any

import orjson

from assay.gateway.types import Tool, ToolCall

Json = dict[str, Any]


def tools_body(tools: Sequence[Tool]) -> list[Json]:
    """The tools as a request offers them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in tools
    ]


def calls_in(calls: Sequence[Json]) -> list[ToolCall]:
    """The calls of a whole answer.

    Raises:
        LookupError, TypeError, AttributeError: they are not in the protocol's shape.
    """
    return [
        ToolCall(
            str(call.get("id") or ""),
            str(call["function"]["name"]),
            _text(call["function"].get("arguments")),
        )
        for call in calls
    ]


class CallPieces:
    """The calls of a streamed answer, which come in pieces, told apart by their index."""

    def __init__(self) -> None:
        """Start without any."""
        self._calls: dict[int, list[str]] = {}

    def add(self, pieces: Sequence[Json]) -> None:
        """Take the pieces of one event; some servers send each call whole, without an index.

        Raises:
            LookupError, TypeError, AttributeError: they are not in the protocol's shape.
        """
        for piece in pieces:
            index = piece.get("index")
            number = len(self._calls) if index is None else int(index)
            call = self._calls.setdefault(number, ["", "", ""])
            function = piece.get("function") or {}
            call[0] = call[0] or str(piece.get("id") or "")
            call[1] += function.get("name") or ""
            call[2] += _text(function.get("arguments"))

    def whole(self) -> list[ToolCall]:
        """The calls, in the order of their index."""
        return [ToolCall(*self._calls[number]) for number in sorted(self._calls)]


def _text(arguments: object) -> str:
    """The arguments as text; some servers send them parsed."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
