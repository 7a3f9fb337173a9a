"""What happens to a request is told: in its history, the audit, the feed, and by webhooks."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.requests.models import ConsultationRequest, RequestEvent
from assay.consults.webhooks.deliveries.announcing import Announcement, Callback, announce
from assay.consults.webhooks.models import EventType
from assay.events.models import Topic
from assay.events.service import publish
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, record

_ENDS = {EventType.answered, EventType.expired, EventType.cancelled}
RESPONDED = "request.responded"
"""A reviewer has answered, and nothing is decided yet: only reviewers and the asker are told."""


async def tell(
    session: AsyncSession,
    actor: Actor | None,
    request: ConsultationRequest,
    event: EventType,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Tell of something that was done to a request, in the transaction in which it is done.

    Args:
        session: of the change.
        actor: who did it; `None` for the clock.
        request: as it is now.
        event: what was done.
        details: what else readers of its history are told.
    """
    note(session, actor, request, event, details)
    await announce(session, announcement(request, event))


def note(
    session: AsyncSession,
    actor: Actor | None,
    request: ConsultationRequest,
    action: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """As `tell`, but without webhooks: in the history of the request, the audit and the feed."""
    told = {"status": request.status, "priority": request.priority}
    user_id = actor.user_id if actor is not None else None
    session.add(
        RequestEvent(
            request_id=request.id, type=action, user_id=user_id, details=dict(details or {})
        )
    )
    if actor is not None:
        change = Change(
            Topic.requests, action, request.id, request.project_id, told, request.requested_by
        )
        record(session, actor, change)
    else:
        publish(
            session,
            Topic.requests,
            action,
            {"id": str(request.id), "by": None, **told},
            subject=request.id,
            project_id=request.project_id,
            user_id=request.requested_by,
        )


def announcement(request: ConsultationRequest, event: EventType) -> Announcement:
    """What webhooks are told of something that was done to a request."""
    callback = None
    if event in _ENDS and request.callback_url is not None and request.callback_secret is not None:
        callback = Callback(request.callback_url, request.callback_secret)
    return Announcement(
        event_type=event,
        data=_message(request),
        owner_id=request.requested_by,
        request_id=request.id,
        callback=callback,
    )


def _message(request: ConsultationRequest) -> Mapping[str, Any]:
    """What a webhook says of a request; the rest can be read at the API."""
    return {
        "id": str(request.id),
        "title": request.title,
        "kind": request.kind,
        "priority": request.priority,
        "status": request.status,
        "agent_id": request.agent_id,
        "project_id": str(request.project_id) if request.project_id else None,
        "metadata": request.asker_metadata,
        "subject_hash": request.subject_hash,
        "assignee_ids": request.assignee_ids,
        "assignee_role": request.assignee_role,
        "deadline": request.deadline,
        "response": request.response,
        "decided_by": request.decided_by,
        "responded_at": request.responded_at,
    }
