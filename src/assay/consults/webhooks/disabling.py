"""Turn an endpoint off, with what was on its way to it."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.models import WebhookEndpoint
from assay.events.models import Topic
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, record


async def disable(
    session: AsyncSession, actor: Actor, endpoint: WebhookEndpoint, reason: str
) -> None:
    """Disable `endpoint`, which is locked; its pending deliveries fail, and its owner is told.

    Their jobs find nothing to do when their time comes.
    """
    endpoint.enabled = False
    endpoint.disabled_reason = reason
    await session.flush()
    await fail_pending(session, endpoint)
    details = {"reason": reason}
    change = Change(
        Topic.webhooks, "webhook.disabled", endpoint.id, details=details, owner_id=endpoint.user_id
    )
    record(session, actor, change)


async def fail_pending(session: AsyncSession, endpoint: WebhookEndpoint) -> None:
    """Fail what was on its way to an endpoint that is disabled."""
    await session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.endpoint_id == endpoint.id,
            WebhookDelivery.status == DeliveryStatus.pending,
        )
        .values(
            status=DeliveryStatus.failed,
            next_attempt_at=None,
            error=f"The endpoint is disabled: {endpoint.disabled_reason}",
        )
    )
