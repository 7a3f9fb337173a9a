"""What comes of an attempt: delivered, tried again later, or given up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.webhooks.deliveries.announcing import attempt_job
from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.deliveries.schedule import (
    GIVE_UP_AFTER,
    asked_for,
    pause_after,
)
from assay.consults.webhooks.disabling import disable
from assay.consults.webhooks.models import WebhookEndpoint
from assay.core.outbound_http import Reply
from assay.identity.actor import job_actor
from assay.jobs.handler import RunningJob
from assay.jobs.service import enqueue

# The statuses whose Retry-After is obeyed.
_WAIT = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attempt as it went: the answer, or why there is none."""

    reply: Reply | None = None
    error: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver took it."""
        return self.reply is not None and 200 <= self.reply.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more."""
        return self.reply is not None and self.reply.status == HTTPStatus.GONE

    @property
    def fault(self) -> str | None:
        """What was wrong, for whoever reads the log."""
        if self.reply is None or self.is_success:
            return self.error
        status = self.reply.status
        if 300 <= status < 400:
            return f"The receiver answered {status}; redirects are not followed."
        return f"The receiver answered {status}."

    def wait(self, now: datetime) -> timedelta | None:
        """How long the receiver asked to be left alone."""
        if self.reply is None or self.reply.status not in _WAIT:
            return None
        return asked_for(self.reply.retry_after, now)


async def settle(
    session: AsyncSession,
    job: RunningJob,
    delivery_id: UUID,
    endpoint_id: UUID | None,
    outcome: Outcome,
) -> None:
    """End the job of an attempt, and write what came of it; enqueues the next one.

    Raises:
        LostJob: another worker has the job.
    """
    # Everywhere jobs are locked before endpoints, and endpoints before deliveries.
    await job.complete(session)
    endpoint = await _endpoint(session, endpoint_id, outcome) if endpoint_id else None
    delivery = await session.get(WebhookDelivery, delivery_id, with_for_update=True)
    if delivery is None or delivery.status is not DeliveryStatus.pending:
        return
    now = datetime.now(UTC)
    delivery.attempts += 1
    delivery.response_code = outcome.reply.status if outcome.reply else None
    delivery.response_excerpt = outcome.reply.excerpt if outcome.reply else None
    delivery.error = outcome.fault
    if outcome.is_success:
        delivery.status = DeliveryStatus.delivered
        delivery.delivered_at, delivery.next_attempt_at = now, None
        if endpoint is not None:
            endpoint.failing_since = None
        return
    if endpoint is not None and (reason := _reason_to_disable(endpoint, outcome, now)):
        await session.flush()
        await disable(session, job_actor(endpoint.user_id), endpoint, reason)
        return
    await _go_on(session, job, delivery, outcome, now)


async def _endpoint(
    session: AsyncSession, endpoint_id: UUID, outcome: Outcome
) -> WebhookEndpoint | None:
    """The endpoint, locked where there is something to write to it."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
    if outcome.is_success:
        query = query.where(WebhookEndpoint.failing_since.is_not(None))
    return await session.scalar(query.with_for_update(key_share=True))


def _reason_to_disable(endpoint: WebhookEndpoint, outcome: Outcome, now: datetime) -> str | None:
    if outcome.is_gone:
        return "The receiver answered 410 Gone: it wants no more messages."
    endpoint.failing_since = endpoint.failing_since or now
    if endpoint.failing_since <= now - GIVE_UP_AFTER:
        return f"Every attempt failed for {GIVE_UP_AFTER.days} days. The last: {outcome.fault}"
    return None


async def _go_on(
    session: AsyncSession,
    job: RunningJob,
    delivery: WebhookDelivery,
    outcome: Outcome,
    now: datetime,
) -> None:
    pause = None if outcome.is_gone else pause_after(delivery.attempts, outcome.wait(now))
    if pause is None:
        delivery.status = DeliveryStatus.failed
        delivery.next_attempt_at = None
        return
    delivery.next_attempt_at = now + pause
    await enqueue(session, job.actor, attempt_job(delivery.id, delay=pause))
