"""Write what is to be delivered, in the transaction of what it tells of."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.webhooks.deliveries.models import WebhookDelivery
from assay.consults.webhooks.models import Covers, EventType, WebhookEndpoint
from assay.core.database import to_json
from assay.core.ids import new_id
from assay.identity.actor import LOCAL_USER, Actor, Role, job_actor
from assay.identity.users.models import User
from assay.identity.users.service import user_of
from assay.jobs.service import NewJob, enqueue

ATTEMPT_JOB = "webhook.attempt"
# Of the jobs that wait, what people started goes first.
PRIORITY = -1

_Told = tuple[UUID, str]
"""An endpoint and its owner."""


@dataclass(frozen=True, slots=True)
class Callback:
    """The address that a request came with: `secret` signs, as `SecretKey.seal` gave it."""

    url: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something that happened to a request.

    Attributes:
        event_type: what happened.
        data: what receivers are told.
        owner_id: who asked.
        request_id: the request.
        callback: where it is to be told as well; of the last event of a request.
    """

    event_type: EventType
    data: Mapping[str, Any]
    owner_id: str
    request_id: UUID
    callback: Callback | None


async def announce(session: AsyncSession, *announcements: Announcement) -> None:
    """Write a delivery for each endpoint that is to be told, and for each callback.

    They are sent after the commit of `session`, at least once each.
    """
    told: dict[tuple[EventType, str], Sequence[_Told]] = {}
    deliveries = defaultdict[str, list[WebhookDelivery]](list)
    for each in announcements:
        key = each.event_type, each.owner_id
        if key not in told:
            # It depends on nothing that is yet to be written, which is then written together.
            with session.no_autoflush:
                rows = await session.execute(_told_of(each))
                told[key] = [(endpoint_id, user_id) for endpoint_id, user_id in rows]
        deliveries[each.owner_id] += _deliveries(each, told[key])
    for owner_id, theirs in deliveries.items():
        session.add_all(theirs)
        await session.flush()
        await send_soon(session, job_actor(owner_id), theirs)


def _deliveries(
    announcement: Announcement, endpoints: Sequence[_Told]
) -> Sequence[WebhookDelivery]:
    callback = announcement.callback
    if not endpoints and callback is None:
        return []
    body = message(announcement.event_type, announcement.data)
    deliveries = [
        _delivery(announcement, body, user_id=user_id, endpoint_id=endpoint_id)
        for endpoint_id, user_id in endpoints
    ]
    if callback is not None:
        owner = announcement.owner_id
        deliveries.append(
            _delivery(announcement, body, user_id=owner, url=callback.url, secret=callback.secret)
        )
    return deliveries


def _told_of(announcement: Announcement) -> Any:
    """The endpoints that are to be told, with their owners."""
    endpoint = WebhookEndpoint
    is_own = endpoint.user_id == announcement.owner_id
    is_admin = or_(endpoint.user_id == LOCAL_USER, User.role == Role.admin)
    return (
        select(endpoint.id, endpoint.user_id)
        .outerjoin(User, user_of(endpoint.user_id))
        .where(
            endpoint.enabled,
            or_(
                endpoint.event_types == [],
                endpoint.event_types.contains([announcement.event_type]),
            ),
            or_(endpoint.user_id == LOCAL_USER, User.is_active),
            or_(
                (endpoint.covers == Covers.own) & is_own,
                (endpoint.covers == Covers.all) & is_admin,
            ),
        )
        .order_by(endpoint.id)
    )


def message(event_type: EventType, data: Mapping[str, Any]) -> str:
    """The body of a message: `{type, timestamp, data}`."""
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return to_json({"type": event_type, "timestamp": timestamp, "data": data})


def new_delivery(event_type: EventType, body: str, user_id: str, **fields: Any) -> WebhookDelivery:
    """A delivery that is due now, with a `webhook-id` of its own."""
    delivery_id = new_id()
    return WebhookDelivery(
        id=delivery_id,
        webhook_id=f"msg_{delivery_id.hex}",
        user_id=user_id,
        event_type=event_type,
        body=body,
        next_attempt_at=datetime.now(UTC),
        **fields,
    )


def _delivery(
    announcement: Announcement, body: str, *, user_id: str, **address: Any
) -> WebhookDelivery:
    request_id = announcement.request_id
    return new_delivery(announcement.event_type, body, user_id, request_id=request_id, **address)


async def send_soon(
    session: AsyncSession, actor: Actor, deliveries: Sequence[WebhookDelivery]
) -> None:
    """Enqueue the first attempt of each."""
    if deliveries:
        await enqueue(session, actor, *(attempt_job(delivery.id) for delivery in deliveries))


def attempt_job(delivery_id: UUID, **timing: Any) -> NewJob:
    """The job of one attempt; it is a part of the delivery, so nobody's list has it."""
    return NewJob(
        ATTEMPT_JOB,
        {"delivery_id": str(delivery_id)},
        priority=PRIORITY,
        parent_id=delivery_id,
        **timing,
    )
