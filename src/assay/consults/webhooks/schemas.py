"""Wire shapes of webhook endpoints."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool

from assay.consults.webhooks.models import Covers, EventType
from assay.core.outbound import LONGEST_URL
from assay.core.schemas import Input, Output, absent
from assay.core.text import Text

KEEP_OLD_SECONDS = 86_400
MAX_KEEP_SECONDS = 604_800

Url = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=LONGEST_URL,
        description="`http` or `https`, without user and password",
        examples=["https://example.com/hooks/assay"],
    ),
]
Description = Annotated[Text, Field(max_length=500)]
EventTypes = Annotated[
    list[EventType],
    Field(max_length=len(EventType), description="What to be told of; empty for all"),
]
CoversField = Annotated[
    Covers, Field(description="`own`: requests of the endpoint's owner; `all`: for admins")
]


class WebhookCreate(Input):
    """An endpoint to be told of what happens to requests."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://example.com/hooks/assay",
                    "description": "The deployment bot",
                    "event_types": ["request.answered", "request.expired"],
                }
            ]
        }
    )

    url: Url
    description: Description | None = None
    event_types: EventTypes = Field(default_factory=list)
    covers: CoversField = Covers.own


class WebhookUpdate(Input):
    """What changes of an endpoint; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True}]})

    url: Url = Field(default_factory=absent)
    description: Description | None = None
    event_types: EventTypes = Field(default_factory=absent)
    covers: CoversField = Field(default_factory=absent)
    enabled: StrictBool = Field(
        default_factory=absent, description="Enabling it again forgets its failures"
    )


class SecretRotate(Input):
    """How long the old secret goes on signing beside the new one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keep_old_for": 3600}]})

    keep_old_for: Annotated[int, Field(strict=True, ge=0, le=MAX_KEEP_SECONDS)] = Field(
        default=KEEP_OLD_SECONDS, description="In seconds"
    )


class WebhookRead(Output):
    """An endpoint, without its secret."""

    id: UUID
    user_id: str = Field(description="The owner")
    url: str
    description: str | None
    event_types: list[EventType]
    covers: Covers
    enabled: bool
    disabled_reason: str | None = Field(description="Why it is not enabled")
    failing_since: datetime | None = Field(
        description="The first failure after the last success; after five days it is disabled"
    )
    previous_secret_expires_at: datetime | None = Field(
        description="Until then the secret before the last rotation signs as well"
    )
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(WebhookRead):
    """An endpoint with a new secret, which is shown this once."""

    secret: str = Field(
        description="Verifies the signatures of Standard Webhooks", examples=["whsec_…"]
    )
