"""Wire shapes of API keys."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from assay.core.database import Name
from assay.core.schemas import Input, Moment, Output
from assay.identity.actor import Scope


class KeyCreate(Input):
    """An API key to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Continuous integration", "scopes": ["playground:write"]}]
        }
    )

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    expires_at: Moment | None = Field(
        default=None, description="When it stops working; never without it"
    )
    project_id: UUID | None = Field(default=None, description="The only project that it is for")


class KeyRead(Output):
    """An API key, without the key itself."""

    id: UUID
    user_id: UUID
    name: str = Field(examples=["Continuous integration"])
    lookup: str = Field(description="How the key begins", examples=["ask_Zk3vT0aPq9Lm"])
    scopes: list[Scope]
    project_id: UUID | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


class KeyCreated(KeyRead):
    """A new API key with the key itself, which is shown this once."""

    key: str
