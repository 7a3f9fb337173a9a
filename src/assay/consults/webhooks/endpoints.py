"""Endpoints of webhook endpoints."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from assay.consults.access import Asker, Reader
from assay.consults.webhooks import service
from assay.consults.webhooks.access import KeyOfOneProject
from assay.consults.webhooks.deliveries.models import WebhookDelivery
from assay.consults.webhooks.deliveries.schemas import DeliveryRead
from assay.consults.webhooks.deliveries.service import EndpointDisabled
from assay.consults.webhooks.models import WebhookEndpoint
from assay.consults.webhooks.schemas import (
    SecretRotate,
    WebhookCreate,
    WebhookRead,
    WebhookUpdate,
    WebhookWithSecret,
)
from assay.consults.webhooks.service import TooManyWebhooks, WebhookNotFound
from assay.core.configured import Configured
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems

router = APIRouter(
    prefix="/webhooks", tags=["webhooks"], responses=problems(Invalid, KeyOfOneProject)
)


@router.get("", response_model=list[WebhookRead])
async def list_webhooks(
    session: Session,
    actor: Reader,
    page: Paging,
    of_all: Annotated[bool, Query(description="Those of everybody; for admins")] = False,
) -> Sequence[WebhookEndpoint]:
    """List your webhook endpoints, newest first."""
    return await service.list_webhooks(session, actor, page, of_all=of_all)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=WebhookWithSecret,
    responses=problems(TooManyWebhooks),
)
async def create_webhook(
    session: Session, actor: Asker, settings: Configured, new: WebhookCreate
) -> WebhookWithSecret:
    """Make a webhook endpoint; its secret is shown this once."""
    endpoint, secret = await service.create_webhook(session, actor, settings, new)
    return _with_secret(endpoint, secret)


@router.get("/{webhook_id}", response_model=WebhookRead, responses=problems(WebhookNotFound))
async def get_webhook(session: Session, actor: Reader, webhook_id: UUID) -> WebhookEndpoint:
    """Read a webhook endpoint."""
    return await service.get_webhook(session, actor, webhook_id)


@router.patch("/{webhook_id}", response_model=WebhookRead, responses=problems(WebhookNotFound))
async def update_webhook(
    session: Session,
    actor: Asker,
    settings: Configured,
    webhook_id: UUID,
    changes: WebhookUpdate,
) -> WebhookEndpoint:
    """Change a webhook endpoint, disable it, or enable it again."""
    return await service.update_webhook(session, actor, settings, webhook_id, changes)


@router.delete(
    "/{webhook_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(WebhookNotFound),
)
async def delete_webhook(session: Session, actor: Asker, webhook_id: UUID) -> None:
    """Delete a webhook endpoint with its deliveries."""
    await service.delete_webhook(session, actor, webhook_id)


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=WebhookWithSecret,
    responses=problems(WebhookNotFound),
)
async def rotate_secret(
    session: Session,
    actor: Asker,
    settings: Configured,
    webhook_id: UUID,
    rotation: SecretRotate,
) -> WebhookWithSecret:
    """Give a webhook endpoint a new secret, shown this once; the old one signs on for a while."""
    endpoint, secret = await service.rotate_secret(
        session, actor, settings, webhook_id, rotation.keep_old_for
    )
    return _with_secret(endpoint, secret)


@router.post(
    "/{webhook_id}/test",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=DeliveryRead,
    responses=problems(WebhookNotFound, EndpointDisabled),
)
async def send_test(session: Session, actor: Asker, webhook_id: UUID) -> WebhookDelivery:
    """Send a webhook endpoint a `webhook.test` message."""
    return await service.send_test(session, actor, webhook_id)


def _with_secret(endpoint: WebhookEndpoint, secret: str) -> WebhookWithSecret:
    return WebhookWithSecret(**WebhookRead.model_validate(endpoint).model_dump(), secret=secret)
