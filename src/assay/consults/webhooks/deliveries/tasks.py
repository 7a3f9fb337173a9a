"""The job of one attempt: read, send without a transaction, write what came of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.webhooks.deliveries.announcing import ATTEMPT_JOB
from assay.consults.webhooks.deliveries.hosts import Busy, Hosts
from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.deliveries.outcomes import Outcome, settle
from assay.consults.webhooks.disabling import fail_pending
from assay.consults.webhooks.models import WebhookEndpoint
from assay.consults.webhooks.signing import signed_headers
from assay.core.config import Settings
from assay.core.errors import AssayError
from assay.core.outbound import Network, check_url, parse_networks
from assay.core.outbound_http import post
from assay.core.secrets import load_secret_key
from assay.jobs.handler import HandBack, JobHandler, RunningJob
from assay.jobs.models import Job


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one attempt sends, read from the database; `secrets` are sealed."""

    url: str
    secrets: Sequence[bytes]
    webhook_id: str
    body: bytes
    endpoint_id: UUID | None


def webhook_handlers(settings: Settings) -> Mapping[str, JobHandler]:
    """The handler of attempts, for one worker."""
    hosts = Hosts()
    allowed = parse_networks(settings.webhook_allowed_networks)

    async def attempt(job: RunningJob) -> None:
        async with job.database.session() as session:
            outgoing = await read_outgoing(session, job)
        if outgoing is None:
            return
        try:
            with hosts.attempt(_host(outgoing.url, allowed)):
                outcome = await send(outgoing, settings, allowed)
        except Busy as busy:
            raise HandBack(busy.wait) from None
        async with job.database.session() as session:
            await settle(session, job, _delivery_id(job), outgoing.endpoint_id, outcome)

    return {ATTEMPT_JOB: JobHandler(attempt, fail_delivery, hosts.has_room)}


def _delivery_id(job: RunningJob) -> UUID:
    return UUID(job.params["delivery_id"])


async def read_outgoing(session: AsyncSession, job: RunningJob) -> Outgoing | None:
    """What is to be sent; `None` where there is nothing to do any more."""
    query = (
        select(WebhookDelivery, WebhookEndpoint)
        .outerjoin(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .where(WebhookDelivery.id == _delivery_id(job))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        # Nobody removes the job's record later on, so it goes now.
        await session.execute(delete(Job).where(Job.id == job.id))
        return None
    delivery, endpoint = row
    if delivery.status is not DeliveryStatus.pending:
        return None
    if endpoint is None:
        return _outgoing(delivery, delivery.url, [delivery.secret])
    if not endpoint.enabled:
        # Written while the endpoint was being disabled.
        await fail_pending(session, endpoint)
        return None
    secrets = [endpoint.secret]
    until = endpoint.previous_secret_expires_at
    if endpoint.previous_secret is not None and until is not None and until > datetime.now(UTC):
        secrets.append(endpoint.previous_secret)
    return _outgoing(delivery, endpoint.url, secrets)


def _outgoing(delivery: WebhookDelivery, url: str, secrets: Sequence[bytes]) -> Outgoing:
    return Outgoing(url, secrets, delivery.webhook_id, delivery.body.encode(), delivery.endpoint_id)


def _host(url: str, allowed: Sequence[Network]) -> str:
    try:
        return check_url(url, allowed).raw_host or ""
    except AssayError:
        # The attempt says what is wrong; it connects to nothing.
        return ""


async def send(outgoing: Outgoing, settings: Settings, allowed: Sequence[Network]) -> Outcome:
    """Sign and send; whatever goes wrong is the outcome, and no error."""
    try:
        key = load_secret_key(settings)
        headers = signed_headers(
            [key.open(secret) for secret in outgoing.secrets],
            outgoing.webhook_id,
            int(time.time()),
            outgoing.body,
        )
        return Outcome(await post(outgoing.url, outgoing.body, headers, allowed))
    except AssayError as error:
        return Outcome(error=error.detail)


async def fail_delivery(session: AsyncSession, job: RunningJob, message: str) -> None:
    """The job failed for good, so the delivery has."""
    await session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.id == _delivery_id(job),
            WebhookDelivery.status == DeliveryStatus.pending,
        )
        .values(status=DeliveryStatus.failed, next_attempt_at=None, error=message)
    )
