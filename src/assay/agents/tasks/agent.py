"""The agent that works at a task, and what it waits for.

Importing pydantic-ai takes seconds: load this module in a thread.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pydantic_ai
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelRetry
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import Model
from pydantic_ai.output import TextOutput, ToolOutput
from pydantic_ai.tools import DeferredToolRequests, RunContext

from assay.agents.tasks.storable import storable
from assay.agents.tasks.tools.desk import Desk
from assay.agents.tasks.tools.planning import Finished
from assay.agents.tasks.tools.toolset import RETRIES, toolset, turn_of

# It would come out of every worker that has a terminal.
pydantic_ai.BANNER_ENABLED = False

FINISH = "finish"
"""The tool that ends the work."""

TaskAgent = Agent[Desk, Finished | DeferredToolRequests]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that waits for a person.

    Attributes:
        call_id: its id.
        kind: what is wanted: leave for the call, or the answer to a question.
        tool: the name of the tool.
        arguments: the model's arguments.
        reason: why leave is needed, or the question.
        options: the answers to choose from, where there are such.
    """

    call_id: str
    kind: Literal["approval", "question"]
    tool: str
    arguments: dict[str, Any]
    reason: str
    options: tuple[str, ...] = ()


def build_agent(model: Model[Any], instructions: str, allowed: Collection[str] = ()) -> TaskAgent:
    """An agent that works with the tools of a `Desk` until it calls `finish`.

    The run ends with `Finished`; or with `DeferredToolRequests` where calls wait for people: see
    `waiting_for`. It goes on from its messages (`unfinished`) without a new prompt and with a
    desk that has the results and decisions so far.

    Args:
        model: such as a `GatewayModel`.
        instructions: see `assay.agents.tasks.prompt.instructions`.
        allowed: the names of the tools it may use; none: all.

    Raises:
        Invalid: there is no tool with one of these names.
    """
    output = ToolOutput(Finished, name=FINISH, max_retries=RETRIES)
    agent: TaskAgent = Agent(
        model,
        deps_type=Desk,
        output_type=[output, TextOutput(_said), DeferredToolRequests],
        instructions=instructions,
        toolsets=[toolset(allowed)],
        retries={"tools": RETRIES, "output": RETRIES},
        end_strategy="graceful",
        name="task",
    )
    agent.output_validator(_look_first)
    return agent


def _said(text: str) -> Finished:
    """Text alone ends nothing: models say in between what they are about to do."""
    raise ModelRetry(
        "you called no tool: go on with the work, or call finish if the task is done or cannot be"
    )


def _look_first(
    ctx: RunContext[Desk], output: Finished | DeferredToolRequests
) -> Finished | DeferredToolRequests:
    """Finish only when nothing of the same turn went wrong, or waits for a person."""
    if isinstance(output, Finished) and turn_of(ctx) in (ctx.deps.failed_in, ctx.deps.held_in):
        raise ModelRetry("a call of the same turn was not done; look at what came of it first")
    return output


def waiting_for(requests: DeferredToolRequests) -> list[Waiting]:
    """The calls that people have to say something to, in the order of the model.

    Those that only come behind such a call, and are done after it, are not among them.
    """
    waiting = [_approval(requests, call) for call in requests.approvals]
    waiting += [
        _question(requests, call)
        for call in requests.calls
        if requests.kind(call.tool_call_id) == "question"
    ]
    return waiting


def unfinished(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages to go on from: results behind the last answer are left out.

    They are on the desk (`Desk.stored`), and the calls without one are then done. An answer that
    has finished is taken as it was, and not asked for again.
    """
    kept = list(messages)
    while kept and isinstance(kept[-1], ModelRequest) and len(kept) > 1:
        before = kept[-2]
        if not isinstance(before, ModelResponse):
            break
        if not _is_open(before, kept[-1]) and not _is_finished(kept[-1]):
            break
        kept.pop()
    return kept


def _is_open(answer: ModelResponse, request: ModelMessage) -> bool:
    """Whether a request lacks the result of a call in the answer before it."""
    given = {getattr(part, "tool_call_id", None) for part in request.parts}
    return any(call.tool_call_id not in given for call in answer.tool_calls)


def _is_finished(request: ModelRequest) -> bool:
    """Whether a request only tells the model that it has finished."""
    return any(
        isinstance(part, ToolReturnPart) and part.tool_name == FINISH for part in request.parts
    )


def _approval(requests: DeferredToolRequests, call: ToolCallPart) -> Waiting:
    reason = requests.metadata.get(call.tool_call_id, {}).get("reason", "")
    return Waiting(call.tool_call_id, "approval", call.tool_name, _arguments(call), reason)


def _question(requests: DeferredToolRequests, call: ToolCallPart) -> Waiting:
    asked = requests.metadata.get(call.tool_call_id, {})
    return Waiting(
        call.tool_call_id,
        "question",
        call.tool_name,
        _arguments(call),
        storable(asked.get("question", "")),
        tuple(storable(asked.get("options", []))),
    )


def _arguments(call: ToolCallPart) -> dict[str, Any]:
    arguments: dict[str, Any] = storable(call.args_as_dict())
    return arguments
