"""Wire shapes of signing in."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from assay.core.schemas import Input, Output
from assay.identity.actor import Role, Scope
from assay.identity.users.schemas import LONGEST_PASSWORD, Email, Password, UserRead


class Login(Input):
    """Who wants to sign in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "ada@example.com", "password": "correct horse battery"}]
        }
    )

    email: Email
    password: SecretStr = Field(max_length=LONGEST_PASSWORD)


class SignedIn(BaseModel):
    """A sign-in; the tokens are in HttpOnly cookies as well, the refresh token only there."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a word of RFC 6750, no secret
    expires_in: int = Field(description="Seconds until the access token expires", examples=[900])
    user: UserRead


class PasswordChange(Input):
    """A new password for oneself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"current": "correct horse battery", "new": "staple paper clip envelope"}]
        }
    )

    current: SecretStr = Field(max_length=LONGEST_PASSWORD)
    new: Password


class SessionRead(Output):
    """A sign-in on some device."""

    id: UUID
    user_agent: str | None = Field(examples=["Mozilla/5.0"])
    address: str | None = Field(examples=["192.0.2.7"])
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool = Field(default=False, description="Whether this request came with it")


class Me(BaseModel):
    """The one who asks."""

    user_id: str = Field(examples=["default"])
    email: str | None = Field(examples=["ada@example.com"])
    name: str | None = Field(examples=["Ada"])
    role: Role
    scopes: list[Scope] | None = Field(description="Of the API key; null for a person")
    project_id: UUID | None = Field(description="The only project the API key is for")
    local: bool = Field(description="Nobody has to sign in: one person has this machine")
