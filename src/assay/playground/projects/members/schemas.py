"""Wire shapes of the members of a project."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from assay.core.schemas import Input, Output
from assay.identity.actor import Role
from assay.identity.users.schemas import Email


class MemberPut(Input):
    """Whom to share a project with, and what they may do in it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "ada@example.com", "role": "reviewer"}]}
    )

    email: Email
    role: Role


class MemberRead(Output):
    """Somebody a project is shared with."""

    user_id: UUID
    email: str = Field(examples=["ada@example.com"])
    name: str = Field(examples=["Ada"])
    role: Role
    created_at: datetime
    updated_at: datetime
