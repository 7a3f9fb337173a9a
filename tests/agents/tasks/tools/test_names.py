from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assay.agents.tasks.agent import build_agent
from assay.agents.tasks.tools.desk import Desk
from assay.agents.tasks.tools.names import TOOLS, check_tools
from assay.core.errors import Invalid
from assay.testing.script import Call, Turn


def test_tools_are_known_by_their_names() -> None:
    check_tools(TOOLS)
    with pytest.raises(Invalid, match="fly is not a tool; there are list_files, "):
        check_tools(["read_file", "fly"])


async def test_the_names_are_those_of_the_tools_that_a_model_is_offered(
    play: Callable[..., Awaitable[Any]], desk: Desk
) -> None:
    model, server = await play(Turn(calls=[Call("finish", {"summary": "x", "tested": "y"})]))
    await build_agent(model, "Work.").run("Go", deps=desk)
    offered = [tool["function"] for tool in server.last_request["tools"]]
    assert [tool["name"] for tool in offered] == [*TOOLS, "finish"]
    for tool in offered:
        assert tool["description"]
        properties = tool["parameters"]["properties"]
        assert "ctx" not in properties
        assert all("description" in place or "$ref" in place for place in properties.values())
