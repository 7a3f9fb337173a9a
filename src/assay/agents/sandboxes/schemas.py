"""Wire shapes of sandboxes."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from assay.agents.sandboxes.models import SandboxStatus
from assay.core.schemas import Output


class SandboxRead(Output):
    """A place where commands of a task run."""

    id: str = Field(description="The provider's; while it is being made, one of ours")
    agent_id: UUID | None
    task_id: UUID | None
    status: SandboxStatus
    provider: str = Field(examples=["local", "e2b"])
    repo_url: str | None
    branch_name: str | None
    error: str | None = Field(description="Why it failed")
    created_at: datetime
    expires_at: datetime = Field(description="Then it is destroyed, whatever it is at")
    destroyed_at: datetime | None
