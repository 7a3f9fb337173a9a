"""Wire shapes of webhook deliveries."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from assay.consults.webhooks.deliveries.models import DeliveryStatus
from assay.consults.webhooks.models import EventType
from assay.core.schemas import Count, Output


class DeliveryRead(Output):
    """A delivery, and what came of its last attempt."""

    id: UUID
    webhook_id: str = Field(description="The header `webhook-id`, the same over all attempts")
    user_id: str
    endpoint_id: UUID | None = Field(description="`null` for the callback of a request")
    request_id: UUID | None
    url: str | None = Field(description="Of a callback")
    event_type: EventType
    status: DeliveryStatus
    attempts: Count
    response_code: int | None
    error: str | None = Field(description="Why the last attempt failed")
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    created_at: datetime


class DeliveryDetail(DeliveryRead):
    """A delivery with what is sent, and what was last answered."""

    body: str = Field(description="To the byte as it is signed and sent")
    response_excerpt: str | None = Field(description="The start of the last answer's body")
