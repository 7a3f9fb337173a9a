"""Requests over HTTP."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, status

from assay.consults.requests import asking, assignment, deciding, reading
from assay.consults.requests.answers import AnswerOffSchema
from assay.consults.requests.asking import IdempotencyKeyReused
from assay.consults.requests.assignment import NobodyToEscalateTo, NotYours
from assay.consults.requests.callbacks import opened_secret, sealed_callback
from assay.consults.requests.deciding import (
    DeadlinePassed,
    NotAssigned,
    NotTheAsker,
    OtherSubject,
    RequestEnded,
    RequestNotFound,
)
from assay.consults.requests.models import ConsultationRequest
from assay.consults.requests.people import NotToBeAsked
from assay.consults.requests.schemas import (
    Assignment,
    Escalation,
    Reason,
    RequestCreate,
    RequestCreated,
    RequestEventRead,
    RequestFilter,
    RequestRead,
    RequestSummary,
    ResponseCreate,
)
from assay.consults.requests.seeing import AskingSight, ReadingSight, ReviewingSight
from assay.consults.requests.waiting import LONGEST_WAIT, read_at_end
from assay.core.configured import Configured
from assay.core.database import Database, Session
from assay.core.errors import Invalid
from assay.core.idempotency import IdempotencyKey, Once
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.waiters import Waiters
from assay.identity.sight import ProjectNotSeen

router = APIRouter(prefix="/requests", tags=["requests"], responses=problems(Invalid))


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=RequestCreated,
    responses=problems(IdempotencyKeyReused, NotToBeAsked, ProjectNotSeen, AnswerOffSchema),
)
async def create_request(
    new: RequestCreate,
    session: Session,
    sight: AskingSight,
    settings: Configured,
    idempotency_key: IdempotencyKey = None,
) -> RequestCreated:
    """Ask people; with the same Idempotency-Key the request that was made the first time."""
    request = await asking.ask(
        session,
        sight,
        new,
        callback=sealed_callback(settings, new),
        once=Once.of(idempotency_key, "ask", new),
    )
    described = await reading.describe(session, sight, request)
    secret = opened_secret(settings, request)
    return RequestCreated(**described.model_dump(), callback_secret=secret)


@router.get("", response_model=list[RequestSummary])
async def list_requests(
    session: Session,
    sight: ReadingSight,
    page: Paging,
    wanted: Annotated[RequestFilter, Depends()],
) -> Sequence[ConsultationRequest]:
    """List the requests that you asked or may answer, newest first."""
    return await reading.list_requests(session, sight, page, wanted)


@router.get("/{request_id}", responses=problems(RequestNotFound))
async def get_request(
    request: Request,
    sight: ReadingSight,
    request_id: UUID,
    wait: Annotated[
        float,
        Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for it to be decided"),
    ] = 0,
) -> RequestRead:
    """Read a request; with `wait`, as soon as it has come to its end."""
    database = cast("Database", request.app.state.database)
    ended = cast("Waiters", request.app.state.ended_requests)
    return await read_at_end(database, ended, sight, request_id, wait, request.receive)


@router.post(
    "/{request_id}/respond",
    responses=problems(
        RequestNotFound, RequestEnded, DeadlinePassed, OtherSubject, NotAssigned, AnswerOffSchema
    ),
)
async def respond(
    session: Session, sight: ReviewingSight, request_id: UUID, answer: ResponseCreate
) -> RequestRead:
    """Answer a request as a reviewer; before the decision, in place of what you said before."""
    decided = await deciding.respond(session, sight, request_id, answer)
    return await reading.describe(session, sight, decided)


@router.post("/{request_id}/cancel", responses=problems(RequestNotFound, RequestEnded, NotTheAsker))
async def cancel_request(
    session: Session, sight: AskingSight, request_id: UUID, why: Reason | None = None
) -> RequestRead:
    """Take a request back; nobody can answer it any more."""
    reason = why.reason if why else None
    cancelled = await deciding.cancel(session, sight, request_id, reason)
    return await reading.describe(session, sight, cancelled)


@router.post(
    "/{request_id}/assign",
    responses=problems(RequestNotFound, RequestEnded, NotYours, NotToBeAsked),
)
async def assign_request(
    session: Session, sight: AskingSight, request_id: UUID, new: Assignment
) -> RequestRead:
    """Say who is to answer from now on; nobody and no role: any reviewer."""
    assigned = await assignment.assign(session, sight, request_id, new)
    return await reading.describe(session, sight, assigned)


@router.post(
    "/{request_id}/escalate",
    responses=problems(RequestNotFound, RequestEnded, NotYours, NotToBeAsked, NobodyToEscalateTo),
)
async def escalate_request(
    session: Session, sight: AskingSight, request_id: UUID, new: Escalation
) -> RequestRead:
    """Let more people answer, and raise the priority by a step."""
    escalated = await assignment.escalate(session, sight, request_id, new)
    return await reading.describe(session, sight, escalated)


@router.get(
    "/{request_id}/events",
    response_model=list[RequestEventRead],
    responses=problems(RequestNotFound),
)
async def list_events(
    session: Session, sight: ReadingSight, page: Paging, request_id: UUID
) -> Sequence[RequestEventRead]:
    """List what happened to a request: who, when, what; the first first."""
    return await reading.list_events(session, sight, request_id, page)
