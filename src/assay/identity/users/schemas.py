"""Wire shapes of users."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StrictBool, StringConstraints

from assay.core.database import Name
from assay.core.schemas import Input, Output, absent
from assay.core.text import Text
from assay.identity.actor import Role

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200

# Nothing is sent to it: it is the name somebody signs in with, and `admin@localhost` will do.
Email = Annotated[
    Text,
    StringConstraints(max_length=320, pattern=r"^\s*[^@\s\x00]+@[^@\s\x00]+\s*$"),
    AfterValidator(lambda email: email.strip().lower()),
]
Password = Annotated[SecretStr, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]


class UserCreate(Input):
    """A user to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "ada@example.com",
                    "name": "Ada",
                    "role": "editor",
                    "password": "correct horse battery",
                }
            ]
        }
    )

    email: Email
    name: Name
    role: Role
    password: Password


class UserUpdate(Input):
    """What to change in a user; what is not sent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "viewer"}]})

    name: Name = Field(default_factory=absent)
    role: Role = Field(default_factory=absent)
    is_active: StrictBool = Field(default_factory=absent)
    password: Password = Field(default_factory=absent)


class UserRead(Output):
    """A user."""

    id: UUID
    email: str = Field(examples=["ada@example.com"])
    name: str = Field(examples=["Ada"])
    role: Role
    is_active: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime
