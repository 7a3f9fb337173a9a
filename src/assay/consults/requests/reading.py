"""Read requests: one with all that the reader may know of it, lists, and histories."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    SmallInteger,
    Subquery,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.requests.deciding import RequestNotFound
from assay.consults.requests.models import (
    NEVER_DUE,
    ConsultationRequest,
    RequestEvent,
    RequestStatus,
    Response,
)
from assay.consults.requests.people import ME, names_of
from assay.consults.requests.schemas import (
    Order,
    RequestEventRead,
    RequestFilter,
    RequestRead,
    ResponseRead,
)
from assay.consults.requests.seeing import for_reviewer, may_answer, visible
from assay.core.pagination import Page, Sieve
from assay.identity.actor import Actor, Role
from assay.identity.sight import Sight
from assay.identity.users.models import User
from assay.identity.users.service import user_of


async def get_request(session: AsyncSession, sight: Sight, request_id: UUID) -> ConsultationRequest:
    """A request.

    Raises:
        RequestNotFound
    """
    query = select(ConsultationRequest).where(ConsultationRequest.id == request_id, visible(sight))
    request = await session.scalar(query.execution_options(populate_existing=True))
    if request is None:
        raise RequestNotFound
    return request


async def describe(
    session: AsyncSession, sight: Sight, request: ConsultationRequest
) -> RequestRead:
    """A request as the actor may know it."""
    actor = sight.actor
    asked = request.requested_by == actor.user_id
    pending = request.status is RequestStatus.pending
    query = (
        select(Response, User.name)
        .outerjoin(User, user_of(Response.user_id))
        .where(Response.request_id == request.id)
    )
    if pending and not asked and actor.role is not Role.admin:
        query = query.where(Response.user_id == actor.user_id)
    rows = await session.execute(query.order_by(Response.created_at, Response.id))
    fields: dict[str, Any] = {
        name: getattr(request, name) for name in RequestRead.model_fields if name not in _ADDED
    }
    return RequestRead.model_validate(
        fields
        | {
            "metadata": request.asker_metadata if asked else None,
            "callback_url": request.callback_url if asked else None,
            "may_answer": pending and actor.key_id is None and may_answer(request, sight),
            "responses": [
                ResponseRead(
                    user_id=each.user_id,
                    name=name,
                    value=each.value,
                    comment=each.comment,
                    created_at=each.created_at,
                )
                for each, name in rows
            ],
        }
    )


_ADDED = {"metadata", "callback_url", "may_answer", "responses"}

# A text is looked for in so many requests at a time; the list then goes on behind them.
_LOOKED_THROUGH = 5000
# As the index of the inbox has them.
_URGENCY = type_coerce(ConsultationRequest.priority, SmallInteger)
_DUE_BY = func.coalesce(ConsultationRequest.deadline, NEVER_DUE)


async def list_requests(
    session: AsyncSession, sight: Sight, page: Page, wanted: RequestFilter
) -> Sequence[ConsultationRequest]:
    """A page of the requests that are seen and wanted, in the order that is wanted."""
    row = ConsultationRequest
    query = select(row).where(visible(sight), *_conditions(sight, wanted))
    urgent_first = wanted.sort is Order.urgent
    keys = (_URGENCY, _DUE_BY, row.id) if urgent_first else (row.id,)
    if wanted.text is None:
        return await page.fetch(session, query, *keys, descending=not urgent_first)
    found = await page.sift(
        session,
        query.with_only_columns(row.id, row.title, row.description),
        *keys,
        sieve=_holding(wanted.text),
        at_most=_LOOKED_THROUGH,
        descending=not urgent_first,
    )
    order = {each[0]: place for place, each in enumerate(found)}
    rows = await session.scalars(select(row).where(row.id.in_(order)))
    return sorted(rows, key=lambda each: order[each.id])


def _conditions(sight: Sight, wanted: RequestFilter) -> Iterator[ColumnElement[bool]]:
    row = ConsultationRequest
    if wanted.status is not None:
        yield row.status == wanted.status
    if wanted.priority is not None:
        yield row.priority == wanted.priority
    if wanted.agent is not None:
        yield row.agent_id == wanted.agent
    if wanted.assignee == ME:
        yield for_reviewer(sight)
    elif wanted.assignee is not None:
        yield row.assignee_ids.contains([wanted.assignee])


def _holding(text: str) -> Sieve:
    def sieve(rows: Select[*tuple[Any, ...]], lot: Subquery) -> Select[*tuple[Any, ...]]:
        return rows.where(
            or_(
                lot.c.title.icontains(text, autoescape=True),
                lot.c.description.icontains(text, autoescape=True),
            )
        )

    return sieve


async def list_events(
    session: AsyncSession, sight: Sight, request_id: UUID, page: Page
) -> Sequence[RequestEventRead]:
    """A page of what happened to a request, the first first.

    What others answered is told once there is a decision, as in `describe`.

    Raises:
        RequestNotFound
    """
    request = await get_request(session, sight, request_id)
    query = select(RequestEvent).where(RequestEvent.request_id == request_id)
    events = await page.fetch(session, query, RequestEvent.id, descending=False)
    names = await names_of(session, [event.user_id for event in events])
    actor = sight.actor
    hides = (
        request.status is RequestStatus.pending
        and request.requested_by != actor.user_id
        and actor.role is not Role.admin
    )
    return [
        RequestEventRead(
            id=event.id,
            type=event.type,
            user_id=event.user_id,
            name=names.get(event.user_id or ""),
            details=_shown(event, actor) if hides else event.details,
            created_at=event.created_at,
        )
        for event in events
    ]


def _shown(event: RequestEvent, actor: Actor) -> dict[str, Any]:
    others = event.user_id != actor.user_id
    return {} if others and "value" in event.details else event.details
