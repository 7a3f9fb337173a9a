"""All tools together, with what happens around each call of one."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelRetry, ToolFailed
from pydantic_ai.tools import RunContext, Tool, ToolDenied
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, WrapperToolset
from pydantic_ai.toolsets.abstract import ToolsetTool

from assay.agents.agents.policy import needs_approval
from assay.agents.sandboxes.providers.types import NoSuchFile, SandboxLimit
from assay.agents.tasks.storable import storable
from assay.agents.tasks.tools.commands import run_command
from assay.agents.tasks.tools.desk import CallResult, Decision, Desk, Turn, Verdict
from assay.agents.tasks.tools.names import check_tools
from assay.agents.tasks.tools.planning import ask_human, update_plan
from assay.agents.tasks.tools.reading import list_files, read_file, search
from assay.agents.tasks.tools.writing import apply_patch, edit_file, write_file
from assay.core.errors import Invalid

_READING = (list_files, read_file, search)
_CHANGING = (write_file, edit_file, apply_patch, run_command, update_plan, ask_human)

RETRIES = 5
"""How often in a row a model may call one tool with arguments that it does not take."""


def toolset(allowed: Collection[str] = ()) -> AbstractToolset[Desk]:
    """The tools for a task, which take a `Desk` as their dependency.

    Those that only look run side by side, all others one after another, in the model's order.

    Args:
        allowed: the names of those the model may use; none: all.

    Raises:
        Invalid: there is no tool with one of these names.
    """
    check_tools(allowed)
    tools = [
        Tool(
            function,
            sequential=function in _CHANGING,
            docstring_format="google",
            max_retries=RETRIES,
        )
        for function in (*_READING, *_CHANGING)
        if not allowed or function.__name__ in allowed
    ]
    return _Attended(FunctionToolset(tools, id="repository"))


def edits_schema(tool: str) -> dict[str, Any]:
    """The JSON Schema of what a person may change about the arguments of a call while allowing it.

    What they leave out stays as the model wants it.

    Raises:
        Invalid: there is no tool with this name.
    """
    check_tools([tool])
    function = next(each for each in (*_READING, *_CHANGING) if each.__name__ == tool)
    schema = Tool(function, docstring_format="google").function_schema.json_schema
    return {name: value for name, value in schema.items() if name != "required"}


def turn_of(ctx: RunContext[Desk]) -> Turn:
    """The answer of the model whose calls are being done."""
    return ctx.run_id, ctx.run_step


@dataclass
class _Attended(WrapperToolset[Desk]):
    """Calls each tool once, when it may be called, and tells what came of it."""

    async def call_tool(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[Desk],
        tool: ToolsetTool[Desk],
    ) -> Any:
        desk, call_id = ctx.deps, ctx.tool_call_id or ""
        if (stored := desk.stored.get(call_id)) is not None:
            return _again(stored, ctx)
        decision = desk.decisions.get(call_id)
        if decision is not None and decision.verdict is not Verdict.approved:
            return await _decided(name, decision, ctx)
        if decision is None and not ctx.tool_call_approved:
            _hold(name, tool_args, ctx, tool)
        if decision is not None and decision.arguments is not None:
            tool_args = _given(tool, {**_plain(tool_args), **decision.arguments})
        await desk.begun(call_id, name, storable(_plain(tool_args)))
        try:
            text = await self.wrapped.call_tool(name, tool_args, ctx, tool)
        except (ToolFailed, ModelRetry, Invalid, NoSuchFile, SandboxLimit) as error:
            desk.failed_in = turn_of(ctx)
            failure = _result(getattr(error, "message", str(error)), "failed")
            await desk.done(call_id, name, failure)
            raise ToolFailed(failure["text"]) from error
        if decision is not None and decision.arguments is not None:
            text = f"a person changed the arguments to {_plain(tool_args)}\n{text}"
        result = _result(str(text), "done")
        await desk.done(call_id, name, result)
        return result["text"]


def _hold(name: str, tool_args: dict[str, Any], ctx: RunContext[Desk], tool: Any) -> None:
    """Hold a call back that needs leave, or that comes behind one which waits for it.

    Raises:
        ApprovalRequired, CallDeferred
    """
    desk = ctx.deps
    if name == ask_human.__name__:
        desk.held_in = turn_of(ctx)
        return
    reason = needs_approval(desk.policy, name, tool_args)
    if reason is not None:
        desk.held_in = turn_of(ctx)
        raise ApprovalRequired({"reason": reason})
    if desk.held_in == turn_of(ctx) and tool.tool_def.sequential:
        raise CallDeferred({"behind": True})


async def _decided(name: str, decision: Decision, ctx: RunContext[Desk]) -> str | ToolDenied:
    desk, call_id = ctx.deps, ctx.tool_call_id or ""
    if decision.verdict is Verdict.answered:
        answer = _result(decision.text, "done")
        await desk.done(call_id, name, answer)
        return answer["text"]
    desk.failed_in = turn_of(ctx)
    reason = f": {decision.text}" if decision.text else ", without a reason"
    refusal = _result(f"a person refused this call{reason}", "denied")
    await desk.done(call_id, name, refusal)
    return ToolDenied(refusal["text"])


def _again(stored: CallResult, ctx: RunContext[Desk]) -> str | ToolDenied:
    if stored["outcome"] == "done":
        return stored["text"]
    ctx.deps.failed_in = turn_of(ctx)
    if stored["outcome"] == "denied":
        return ToolDenied(stored["text"])
    raise ToolFailed(stored["text"])


def _given(tool: ToolsetTool[Desk], arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        validated: dict[str, Any] = tool.args_validator.validate_python(arguments)
    except ValidationError as error:
        raise ToolFailed(f"the arguments that a person gave are not valid: {error}") from None
    return validated


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments as JSON values."""
    return {
        name: [step.model_dump(mode="json") for step in value] if name == "steps" else value
        for name, value in arguments.items()
    }


def _result(text: str, outcome: Any) -> CallResult:
    return {"text": storable(text), "outcome": outcome}
