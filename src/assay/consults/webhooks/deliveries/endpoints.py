"""Endpoints of webhook deliveries."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi import status as http

from assay.consults.access import Asker, Reader
from assay.consults.webhooks.access import KeyOfOneProject
from assay.consults.webhooks.deliveries import service
from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.deliveries.schemas import DeliveryDetail, DeliveryRead
from assay.consults.webhooks.deliveries.service import (
    DeliveryNotFound,
    DeliveryPending,
    EndpointDisabled,
)
from assay.consults.webhooks.models import EventType
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems

router = APIRouter(
    prefix="/webhook-deliveries",
    tags=["webhook-deliveries"],
    responses=problems(Invalid, KeyOfOneProject),
)


@router.get("", response_model=list[DeliveryRead])
async def list_deliveries(
    session: Session,
    actor: Reader,
    page: Paging,
    endpoint_id: UUID | None = None,
    request_id: UUID | None = None,
    status: DeliveryStatus | None = None,
    event_type: EventType | None = None,
    of_all: Annotated[bool, Query(description="Those of everybody; for admins")] = False,
) -> Sequence[WebhookDelivery]:
    """List the deliveries of your webhook endpoints and callbacks, newest first."""
    return await service.list_deliveries(
        session,
        actor,
        page,
        of_all=of_all,
        endpoint_id=endpoint_id,
        request_id=request_id,
        status=status,
        event_type=event_type,
    )


@router.get("/{delivery_id}", response_model=DeliveryDetail, responses=problems(DeliveryNotFound))
async def get_delivery(session: Session, actor: Reader, delivery_id: UUID) -> WebhookDelivery:
    """Read a delivery: what is sent, and what was last answered."""
    return await service.get_delivery(session, actor, delivery_id)


@router.post(
    "/{delivery_id}/redeliver",
    status_code=http.HTTP_202_ACCEPTED,
    response_model=DeliveryRead,
    responses=problems(DeliveryNotFound, DeliveryPending, EndpointDisabled),
)
async def redeliver(session: Session, actor: Asker, delivery_id: UUID) -> WebhookDelivery:
    """Send a delivery again, with the same `webhook-id`."""
    return await service.redeliver(session, actor, delivery_id)
