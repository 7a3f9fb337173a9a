"""Calls one tool as a model does, and gives what it is told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assay.agents.tasks.agent import build_agent
from assay.agents.tasks.tools.desk import Desk
from assay.testing.script import Call, Turn


@pytest.fixture
def use(play: Callable[..., Awaitable[Any]], desk: Desk) -> Callable[..., Awaitable[str]]:
    """The text that a model sees of a call of a tool."""

    async def use(tool: str, **arguments: object) -> str:
        finish = Call("finish", {"summary": "done", "tested": "no"})
        model, server = await play(Turn(calls=[Call(tool, arguments)]), Turn(calls=[finish]))
        await asyncio.wait_for(build_agent(model, "Work.").run("Go", deps=desk), 60)
        (result,) = (m for m in server.last_request["messages"] if m["role"] == "tool")
        text: str = result["content"]
        return text

    return use
