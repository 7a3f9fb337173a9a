"""What the tools of one task work with: the sandbox, the policy, and who is told what."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.sandboxes.providers.types import Sandbox

Json = Mapping[str, Any]
Turn = tuple[str | None, int]
"""One answer of a model with its calls: the id of the run, and the number of the step in it."""


class CallResult(TypedDict):
    """What came of a call of a tool, as it is stored: the text for the model, and how it went."""

    text: str
    outcome: Literal["done", "failed", "denied"]


class Verdict(StrEnum):
    """What a person says to a call."""

    approved = "approved"
    denied = "denied"
    answered = "answered"


class Decision(BaseModel):
    """What people decided about a call, as it is stored.

    `arguments` take the place of the model's own of these names; `text` is the reason of a
    refusal, or the answer to a question.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    text: str = ""
    arguments: dict[str, Any] | None = None


class StepStatus(StrEnum):
    """How far a step of a plan is."""

    pending = "pending"
    in_progress = "in_progress"
    completed = "completed"


class PlanStep(BaseModel):
    """One step of a plan."""

    step: str = Field(min_length=1, max_length=300, description="What is to be done, in short")
    status: StepStatus = Field(description="How far it is")


async def _ignore(*_: object) -> None:
    """Nobody wants to know."""


@dataclass(kw_only=True)
class Desk:
    """What the tools of one task work with.

    Attributes:
        sandbox: where the clone is.
        policy: what needs somebody's leave.
        stored: what came of calls that were done before, by their ids; these are not done again.
        decisions: what people decided about calls, by their ids.
        begun: is told the id, the tool and the arguments of a call before it is done.
        output: is told the id of a call and the next piece of what its command writes.
        done: is told the id, the tool and the result of a call before the model sees it. What it
            raises ends the run.
        planned: is told the plan whenever the model changes it.
    """

    sandbox: Sandbox
    policy: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    stored: Mapping[str, CallResult] = field(default_factory=dict)
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    begun: Callable[[str, str, Json], Awaitable[None]] = _ignore
    output: Callable[[str, str], Awaitable[None]] = _ignore
    done: Callable[[str, str, CallResult], Awaitable[None]] = _ignore
    planned: Callable[[list[PlanStep]], Awaitable[None]] = _ignore
    # The turn in which a call was held back for a person, or failed, the last time.
    held_in: Turn | None = field(default=None, init=False)
    failed_in: Turn | None = field(default=None, init=False)
