"""Rules and queries of webhook endpoints."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.webhooks.access import require_all_projects
from assay.consults.webhooks.deliveries.announcing import message, new_delivery, send_soon
from assay.consults.webhooks.deliveries.models import WebhookDelivery
from assay.consults.webhooks.deliveries.service import EndpointDisabled
from assay.consults.webhooks.disabling import disable
from assay.consults.webhooks.models import Covers, EventType, WebhookEndpoint
from assay.consults.webhooks.schemas import WebhookCreate, WebhookUpdate
from assay.consults.webhooks.signing import new_secret
from assay.core.config import Settings
from assay.core.errors import Conflict, FieldFault, Invalid, NotFound
from assay.core.outbound import check_url, parse_networks
from assay.core.pagination import Page
from assay.core.secrets import load_secret_key
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, changed_fields, record
from assay.jobs.models import Job

MAX_ENDPOINTS = 100
BY_HAND = "It was disabled by hand."


class WebhookNotFound(NotFound):
    """There is no webhook endpoint with this id."""


class TooManyWebhooks(Conflict):
    """You have as many webhook endpoints as one may have: delete one that you do not need."""


async def list_webhooks(
    session: AsyncSession, actor: Actor, page: Page, *, of_all: bool = False
) -> Sequence[WebhookEndpoint]:
    """A page of one's own endpoints, newest first; admins may ask for those of all."""
    require_all_projects(actor)
    query = select(WebhookEndpoint)
    if not (of_all and actor.role is Role.admin):
        query = query.where(WebhookEndpoint.user_id == actor.user_id)
    return await page.fetch(session, query, WebhookEndpoint.id)


async def get_webhook(
    session: AsyncSession, actor: Actor, webhook_id: UUID, *, to_write: bool = False
) -> WebhookEndpoint:
    """One of one's own endpoints, locked where it is to be written; admins see those of all.

    Raises:
        WebhookNotFound
    """
    require_all_projects(actor)
    query = select(WebhookEndpoint).where(WebhookEndpoint.id == webhook_id)
    if actor.role is not Role.admin:
        query = query.where(WebhookEndpoint.user_id == actor.user_id)
    if to_write:
        query = query.with_for_update(key_share=True)
    endpoint = await session.scalar(query)
    if endpoint is None:
        raise WebhookNotFound
    return endpoint


async def create_webhook(
    session: AsyncSession, actor: Actor, settings: Settings, new: WebhookCreate
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; gives it with its secret, which is stored sealed.

    Raises:
        UrlRefused: the URL is not one that Assay sends to.
        Invalid: it is to cover all, and the actor is no admin.
        TooManyWebhooks
    """
    require_all_projects(actor)
    check_url(new.url, parse_networks(settings.webhook_allowed_networks), place="body.url")
    _check_covers(actor, actor.user_id, new.covers)
    own = select(func.count()).where(WebhookEndpoint.user_id == actor.user_id)
    if (await session.scalar(own) or 0) >= MAX_ENDPOINTS:
        raise TooManyWebhooks
    secret = new_secret()
    endpoint = WebhookEndpoint(
        user_id=actor.user_id,
        url=new.url,
        description=new.description,
        event_types=_types(new.event_types),
        covers=new.covers,
        secret=load_secret_key(settings).seal(secret),
    )
    session.add(endpoint)
    await session.flush()
    _record(session, actor, "webhook.created", endpoint)
    return endpoint, secret


async def update_webhook(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    webhook_id: UUID,
    changes: WebhookUpdate,
) -> WebhookEndpoint:
    """Change an endpoint. Disabling it fails what was on its way; enabling forgets its failures.

    Raises:
        WebhookNotFound
        UrlRefused: the URL is not one that Assay sends to.
        Invalid: it is to cover all, and its owner is not the actor, or no admin.
    """
    endpoint = await get_webhook(session, actor, webhook_id, to_write=True)
    given = changes.model_dump(exclude_unset=True)
    enabled = given.pop("enabled", endpoint.enabled)
    if "url" in given:
        check_url(given["url"], parse_networks(settings.webhook_allowed_networks), place="body.url")
    if "covers" in given:
        _check_covers(actor, endpoint.user_id, given["covers"])
    if "event_types" in given:
        given["event_types"] = _types(given["event_types"])
    for name, value in given.items():
        setattr(endpoint, name, value)
    if enabled and not endpoint.enabled:
        endpoint.enabled, endpoint.disabled_reason, endpoint.failing_since = True, None, None
    changed = sorted(changed_fields(endpoint)["changes"])
    await session.flush()
    if changed:
        # Their names alone: the feed carries no content, and a URL can hold a token.
        _record(session, actor, "webhook.updated", endpoint, changed=changed)
    if endpoint.enabled and not enabled:
        await disable(session, actor, endpoint, BY_HAND)
    return endpoint


async def delete_webhook(session: AsyncSession, actor: Actor, webhook_id: UUID) -> None:
    """Delete an endpoint with its deliveries.

    Raises:
        WebhookNotFound
    """
    endpoint = await get_webhook(session, actor, webhook_id)
    own = select(WebhookDelivery.id).where(WebhookDelivery.endpoint_id == endpoint.id)
    # Everywhere jobs are locked before endpoints.
    await session.execute(delete(Job).where(Job.parent_id.in_(own)))
    await session.execute(delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint.id))
    _record(session, actor, "webhook.deleted", endpoint)


async def rotate_secret(
    session: AsyncSession, actor: Actor, settings: Settings, webhook_id: UUID, keep_old_for: int
) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret; for `keep_old_for` seconds the old one signs as well.

    Raises:
        WebhookNotFound
    """
    endpoint = await get_webhook(session, actor, webhook_id, to_write=True)
    secret = new_secret()
    endpoint.previous_secret = endpoint.secret if keep_old_for else None
    endpoint.previous_secret_expires_at = (
        datetime.now(UTC) + timedelta(seconds=keep_old_for) if keep_old_for else None
    )
    endpoint.secret = load_secret_key(settings).seal(secret)
    await session.flush()
    _record(session, actor, "webhook.secret_rotated", endpoint)
    return endpoint, secret


async def send_test(session: AsyncSession, actor: Actor, webhook_id: UUID) -> WebhookDelivery:
    """Send an endpoint a message to try it out, whatever it wants to be told of.

    Raises:
        WebhookNotFound
        EndpointDisabled
    """
    endpoint = await get_webhook(session, actor, webhook_id)
    if not endpoint.enabled:
        raise EndpointDisabled
    body = message(EventType.test, {"webhook_endpoint_id": str(endpoint.id)})
    delivery = new_delivery(EventType.test, body, endpoint.user_id, endpoint_id=endpoint.id)
    session.add(delivery)
    await session.flush()
    await send_soon(session, actor, [delivery])
    _record(session, actor, "webhook.tested", endpoint)
    return delivery


def _types(event_types: Sequence[EventType]) -> list[str]:
    return sorted(set(event_types))


def _check_covers(actor: Actor, owner_id: str, covers: Covers) -> None:
    if covers is Covers.all and (actor.role is not Role.admin or owner_id != actor.user_id):
        fault = FieldFault("body.covers", "only endpoints of admins are told of all requests")
        raise Invalid("This endpoint cannot cover the requests of all.", errors=[fault])


def _record(
    session: AsyncSession, actor: Actor, action: str, endpoint: WebhookEndpoint, **details: object
) -> None:
    owner_id = endpoint.user_id
    change = Change(Topic.webhooks, action, endpoint.id, details=details, owner_id=owner_id)
    record(session, actor, change)
