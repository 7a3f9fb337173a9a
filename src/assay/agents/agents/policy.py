"""What a person is asked before an agent does it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assay.grading.checks import CheckFault
from assay.grading.patterns import compile_pattern

COMMAND_TOOL = "run_command"
"""The tool whose commands the patterns of a policy are held against."""

# What ends one command of a line for the shell; quotes are not looked at, so that a pattern
# rather finds too much than too little.
_ENDS = re.compile(r"&&|\|\||[;|&\n(){}`]|\$\(")


def _check_pattern(pattern: str) -> str:
    try:
        compile_pattern(pattern)
    except CheckFault as fault:
        raise ValueError(str(fault)) from None
    return pattern


CommandPattern = Annotated[str, Field(max_length=500), AfterValidator(_check_pattern)]


class ApprovalPolicy(BaseModel):
    """What needs somebody's leave; without anything in it, nothing does.

    A guard against mistakes, not a wall: what a command may reach is up to the sandbox.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    commands: list[CommandPattern] = Field(
        default=[],
        max_length=100,
        description="Regular expressions; a command in which one is found, in the whole or at any "
        "of the commands that it is made of, needs leave",
        examples=[["^git push", "rm -rf"]],
    )
    tools: list[Annotated[str, Field(max_length=50)]] = Field(
        default=[], max_length=50, description="Names of tools, each call of which needs leave"
    )
    push: bool = Field(default=False, description="Whether pushing the branch needs leave")
    pull_request: bool = Field(
        default=False, description="Whether opening the pull request needs leave"
    )
    network: bool = Field(
        default=False, description="Whether a sandbox that reaches the network needs leave"
    )


def needs_approval(policy: ApprovalPolicy, tool: str, arguments: Mapping[str, Any]) -> str | None:
    """Why a call of a tool needs somebody's leave; `None` where it does not."""
    if tool in policy.tools:
        return f"each call of {tool} needs approval"
    if tool != COMMAND_TOOL:
        return None
    command = str(arguments.get("command", ""))
    pieces = [command, *(piece.strip() for piece in _ENDS.split(command))]
    for pattern in policy.commands:
        try:
            if any(map(compile_pattern(pattern).matches, pieces)):
                return f"commands that match {pattern!r} need approval"
        except CheckFault as fault:
            # What cannot be decided is for a person.
            return f"whether the command matches {pattern!r} cannot be told: {fault}"
    return None
