"""The table of deliveries, which is also their log."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.consults.webhooks.models import WebhookEndpoint
from assay.core.database import Base, CreatedAt, Id, Timestamp, one_of
from assay.core.secrets import Sealed


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    pending = "pending"
    delivered = "delivered"
    failed = "failed"


class WebhookDelivery(Base):
    """A message to one address, with what came of its last attempt.

    It goes to an endpoint, or to the `callback_url` of a request, which is then kept here with
    its sealed secret. `body` is the text that was signed and sent, to the byte. `webhook_id` is
    the same over all attempts, also of a redelivery.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("(endpoint_id IS NULL) <> (url IS NULL)", name="one_address"),
        Index("ix_webhook_deliveries_user_id_id", "user_id", "id"),
        Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        Index("ix_webhook_deliveries_request_id", "request_id"),
        Index("ix_webhook_deliveries_created_at", "created_at"),
        {"schema": "consults"},
    )

    id: Mapped[Id]
    webhook_id: Mapped[str] = mapped_column(String(64))
    # Whose it is: the endpoint's owner, or who asked.
    user_id: Mapped[str] = mapped_column(String(100))
    endpoint_id: Mapped[UUID | None] = mapped_column(
        ForeignKey(WebhookEndpoint.id, ondelete="CASCADE")
    )
    request_id: Mapped[UUID | None]
    url: Mapped[str | None] = mapped_column(String(2000))
    secret: Mapped[bytes | None] = mapped_column(Sealed)
    event_type: Mapped[str] = mapped_column(String(50))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[DeliveryStatus] = mapped_column(
        one_of(DeliveryStatus, 20), default=DeliveryStatus.pending
    )
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    response_code: Mapped[int | None]
    response_excerpt: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    next_attempt_at: Mapped[Timestamp | None]
    delivered_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
