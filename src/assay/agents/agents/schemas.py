"""What goes over the wire about agents."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.config import JsonDict

from assay.agents.agents.models import AgentStatus
from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.tasks.tools.names import TOOLS
from assay.core.database import Name
from assay.core.schemas import Input, Output, absent
from assay.core.text import JsonObject, Text, located

AgentRole = Annotated[Text, Field(min_length=1, max_length=100, examples=["developer"])]
ModelName = Annotated[
    Text, Field(min_length=3, max_length=255, pattern=".+/.+", examples=["openai/gpt-6-luna"])
]
Instructions = Annotated[Text, Field(max_length=50_000)]
Url = Annotated[Text, Field(max_length=2000, pattern="^https?://")]


def _check_tool(name: str) -> str:
    if name not in TOOLS:
        raise ValueError(f"There is no such tool; there are {', '.join(TOOLS)}")
    return name


def _check_policy(policy: ApprovalPolicy) -> ApprovalPolicy:
    """Here and not in the policy, so that what is stored can be read when tools are renamed."""
    known = ", ".join(TOOLS)
    faults = [
        (("tools", number), f"There is no such tool; there are {known}")
        for number, name in enumerate(policy.tools)
        if name not in TOOLS
    ]
    if faults:
        raise located(*faults)
    return policy


Policy = Annotated[ApprovalPolicy, AfterValidator(_check_policy)]
ToolName = Annotated[str, AfterValidator(_check_tool), Field(json_schema_extra={"enum": [*TOOLS]})]
ToolNames = Annotated[
    list[ToolName], Field(max_length=50, description="The tools that it may use; none named: all")
]
Provider = Annotated[Text, Field(pattern="^(local|e2b)$", description="Where its sandboxes are")]
Steps = Annotated[int, Field(strict=True, ge=1, le=10_000, description="Turns of the model a task")]
WorkSeconds = Annotated[
    int, Field(strict=True, ge=1, le=86_400, description="Of work a task, without waiting")
]
Cost = Annotated[float, Field(strict=True, ge=0, description="USD a task, where prices are known")]
EXAMPLE: JsonDict = {
    "name": "Ada",
    "role": "developer",
    "model": "openai/gpt-6-luna",
    "approval_policy": {"push": True},
}


class AgentCreate(Input):
    """An agent. Without a model it cannot be given tasks yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name
    role: AgentRole
    avatar_url: Url | None = None
    project_id: UUID | None = Field(default=None, description="Whose people see it, if one's")
    model: ModelName | None = None
    model_parameters: JsonObject = Field(default_factory=dict, examples=[{"temperature": 0}])
    instructions: Instructions | None = None
    tools: ToolNames = Field(default_factory=list)
    approval_policy: Policy = Field(default_factory=ApprovalPolicy)
    provider: Provider = "local"
    max_steps: Steps = 100
    max_seconds: WorkSeconds = 3600
    max_cost: Cost | None = None


class AgentUpdate(Input):
    """The fields of an agent that are to change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"max_cost": 2.5}]})

    name: Name = Field(default_factory=absent)
    role: AgentRole = Field(default_factory=absent)
    status: Annotated[
        AgentStatus, Field(description="`offline`, so that it takes no tasks, or `idle`")
    ] = Field(default_factory=absent)
    avatar_url: Url | None = None
    model: ModelName | None = None
    model_parameters: JsonObject = Field(default_factory=absent)
    instructions: Instructions | None = None
    tools: ToolNames = Field(default_factory=absent)
    approval_policy: Policy = Field(default_factory=absent)
    provider: Provider = Field(default_factory=absent)
    max_steps: Steps = Field(default_factory=absent)
    max_seconds: WorkSeconds = Field(default_factory=absent)
    max_cost: Cost | None = None


class AgentRead(Output):
    """An agent."""

    id: UUID
    name: str
    role: str
    status: AgentStatus
    current_task_id: UUID | None
    sandbox_id: str | None
    avatar_url: str | None
    project_id: UUID | None
    model: str | None
    model_parameters: dict[str, Any]
    instructions: str | None
    tools: list[str]
    approval_policy: ApprovalPolicy
    provider: str
    max_steps: int
    max_seconds: int
    max_cost: float | None
    created_by: str
    created_at: datetime
    updated_at: datetime
