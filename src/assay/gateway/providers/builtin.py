"""Models that need no key and no network, named as the small programs they are."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from assay.gateway.errors import UnknownModel
from assay.gateway.providers.arithmetic import solve_last_expression
from assay.gateway.providers.keyword_classifier import classify, first_label
from assay.gateway.types import (
    Message,
    ModelRequest,
    ModelResponse,
    StreamPart,
    TextDelta,
    Usage,
    text_of,
)

Program = Callable[[list[Message]], str]
"""Gives the answer to a conversation."""


def last_user_message(messages: list[Message]) -> str:
    """The text of the last user message; empty if there is none."""
    return next((text_of(m) for m in reversed(messages) if m["role"] == "user"), "")


PROGRAMS: dict[str, Program] = {
    "echo": last_user_message,
    "keyword-classifier": classify,
    "first-label": first_label,
    "arithmetic": lambda messages: solve_last_expression(last_user_message(messages)),
}


def find_program(name: str) -> Program:
    """The program behind `builtin/<name>`.

    Raises:
        UnknownModel: there is none by that name.
    """
    try:
        return PROGRAMS[name]
    except KeyError:
        known = ", ".join(f"builtin/{program}" for program in PROGRAMS)
        raise UnknownModel(f"there is no model builtin/{name}; there are {known}") from None


class BuiltinModel:
    """A small program that answers as a model does, for free; its tokens are words."""

    def __init__(self, program: str) -> None:
        """Take the name behind the slash."""
        self.name = f"builtin/{program}"
        self._answer = find_program(program)

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece."""
        await asyncio.sleep(0)  # many calls in a row must not keep the event loop to themselves
        started = time.perf_counter()
        text = self._answer(request.messages)
        response = ModelResponse(
            text,
            Usage(sum(_words(text_of(message)) for message in request.messages), _words(text)),
            (time.perf_counter() - started) * 1000.0,
            finish_reason="stop",
            cost=0.0,
        )
        if request.output_schema is not None:
            response.parse()
        return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece, which here is one."""
        response = await self.complete(request)
        response.first_token_ms = response.latency_ms
        if response.text:
            yield TextDelta(response.text)
        yield response


def _words(text: str) -> int:
    return len(text.split())
