"""The table of webhook endpoints."""

from enum import StrEnum

from sqlalchemy import Index, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Timestamp, UpdatedAt, one_of
from assay.core.secrets import Sealed


class EventType(StrEnum):
    """What an endpoint can be told of."""

    created = "request.created"
    assigned = "request.assigned"
    escalated = "request.escalated"
    commented = "request.commented"
    answered = "request.answered"
    expired = "request.expired"
    cancelled = "request.cancelled"
    test = "webhook.test"


class Covers(StrEnum):
    """Whose requests an endpoint is told of: those its owner asked, or all."""

    own = "own"
    all = "all"


class WebhookEndpoint(Base):
    """An address that is told of what happens to requests.

    While a rotation lasts, until `previous_secret_expires_at`, both secrets sign. `failing_since`
    is when the first attempt failed after the last one that did not.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        Index("ix_webhook_endpoints_user_id_id", "user_id", "id"),
        Index("ix_webhook_endpoints_covers", "covers", postgresql_where=text("enabled")),
        {"schema": "consults"},
    )

    id: Mapped[Id]
    user_id: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(String(2000))
    description: Mapped[str | None] = mapped_column(String(500))
    # Empty: all of them.
    event_types: Mapped[list[str]] = mapped_column(
        ARRAY(String(50)), default=list, server_default=text("'{}'")
    )
    covers: Mapped[Covers] = mapped_column(one_of(Covers, 10), default=Covers.own)
    secret: Mapped[bytes] = mapped_column(Sealed)
    previous_secret: Mapped[bytes | None] = mapped_column(Sealed)
    previous_secret_expires_at: Mapped[Timestamp | None]
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    failing_since: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
