"""Wire shapes of the audit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from assay.core.schemas import Output


class AuditEntryRead(Output):
    """One change that somebody made."""

    id: UUID
    user_id: str = Field(description="Who; `default` is the one person at the machine")
    key_id: UUID | None = Field(description="The API key that it was done with")
    action: str = Field(examples=["prompt.updated"])
    subject: str = Field(description="The id or name of what was changed")
    project_id: UUID | None
    details: dict[str, Any] | None = Field(
        examples=[{"changes": {"name": {"from": "Intent", "to": "Intents"}}}]
    )
    request_id: str | None
    created_at: datetime
