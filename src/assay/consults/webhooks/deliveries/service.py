"""The log of deliveries: read it, send one again, remove old ones."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.webhooks.access import require_all_projects
from assay.consults.webhooks.deliveries.announcing import send_soon
from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.models import EventType, WebhookEndpoint
from assay.core.errors import Conflict, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, record
from assay.jobs.models import Job
from assay.jobs.service import cancel_jobs


class DeliveryNotFound(NotFound):
    """There is no webhook delivery with this id."""


class DeliveryPending(Conflict):
    """The delivery is still being tried; look at its next_attempt_at."""


class EndpointDisabled(Conflict):
    """The endpoint is disabled: enable it first."""


async def list_deliveries(
    session: AsyncSession,
    actor: Actor,
    page: Page,
    *,
    of_all: bool = False,
    endpoint_id: UUID | None = None,
    request_id: UUID | None = None,
    status: DeliveryStatus | None = None,
    event_type: EventType | None = None,
) -> Sequence[WebhookDelivery]:
    """A page of one's own deliveries, newest first; admins may ask for those of all."""
    require_all_projects(actor)
    query = select(WebhookDelivery)
    if not (of_all and actor.role is Role.admin):
        query = query.where(WebhookDelivery.user_id == actor.user_id)
    if endpoint_id is not None:
        query = query.where(WebhookDelivery.endpoint_id == endpoint_id)
    if request_id is not None:
        query = query.where(WebhookDelivery.request_id == request_id)
    if status is not None:
        query = query.where(WebhookDelivery.status == status)
    if event_type is not None:
        query = query.where(WebhookDelivery.event_type == event_type)
    return await page.fetch(session, query, WebhookDelivery.id)


async def get_delivery(session: AsyncSession, actor: Actor, delivery_id: UUID) -> WebhookDelivery:
    """One of one's own deliveries; admins see those of all.

    Raises:
        DeliveryNotFound
    """
    require_all_projects(actor)
    query = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
    if actor.role is not Role.admin:
        query = query.where(WebhookDelivery.user_id == actor.user_id)
    delivery = await session.scalar(query)
    if delivery is None:
        raise DeliveryNotFound
    return delivery


async def redeliver(session: AsyncSession, actor: Actor, delivery_id: UUID) -> WebhookDelivery:
    """Send a delivery again, with the same `webhook-id`; its attempts start anew.

    Raises:
        DeliveryNotFound
        DeliveryPending
        EndpointDisabled
    """
    delivery = await get_delivery(session, actor, delivery_id)
    if delivery.status is DeliveryStatus.pending:
        raise DeliveryPending
    # An attempt of earlier on may still wait for its time.
    await cancel_jobs(session, actor, parent_id=delivery.id)
    if delivery.endpoint_id is not None:
        enabled = await session.scalar(
            select(WebhookEndpoint.enabled)
            .where(WebhookEndpoint.id == delivery.endpoint_id)
            .with_for_update(read=True)
        )
        if not enabled:
            raise EndpointDisabled
    again = await session.scalar(
        update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery.id, WebhookDelivery.status != DeliveryStatus.pending)
        .values(
            status=DeliveryStatus.pending,
            attempts=0,
            next_attempt_at=func.clock_timestamp(),
            delivered_at=None,
        )
        .returning(WebhookDelivery)
        .execution_options(populate_existing=True)
    )
    if again is None:
        raise DeliveryPending
    await send_soon(session, actor, [again])
    details = {"event_type": again.event_type}
    change = Change(
        Topic.webhooks, "webhook.redelivered", again.id, details=details, owner_id=again.user_id
    )
    record(session, actor, change)
    return again


async def remove_old(session: AsyncSession, *, days: float, limit: int) -> int:
    """Remove up to `limit` deliveries that have ended and are older than `days`, with their jobs.

    Gives the number of deliveries.
    """
    old = (
        select(WebhookDelivery.id)
        .where(
            WebhookDelivery.created_at < datetime.now(UTC) - timedelta(days=days),
            WebhookDelivery.status != DeliveryStatus.pending,
        )
        .limit(limit)
    )
    gone = list(await session.scalars(old))
    if gone:
        await session.execute(delete(Job).where(Job.parent_id.in_(gone)))
        await session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(gone)))
    return len(gone)
