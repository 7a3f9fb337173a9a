"""Webhooks for the walks over all routes."""

from assay.consults.webhooks.deliveries.announcing import message, new_delivery
from assay.consults.webhooks.deliveries.models import DeliveryStatus
from assay.consults.webhooks.models import EventType, WebhookEndpoint
from assay.core.database import Database


async def make_webhooks_world(database: Database, user_id: str) -> dict[str, str]:
    """An endpoint and a delivery that failed; gives ids by the names they have in paths."""
    async with database.session() as session:
        endpoint = WebhookEndpoint(user_id=user_id, url="https://example.com/", secret=b"sealed")
        session.add(endpoint)
        await session.flush()
        delivery = new_delivery(
            EventType.test,
            message(EventType.test, {}),
            user_id,
            endpoint_id=endpoint.id,
            status=DeliveryStatus.failed,
        )
        session.add(delivery)
    return {"webhook_id": str(endpoint.id), "delivery_id": str(delivery.id)}
