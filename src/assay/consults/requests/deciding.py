"""The state machine of a request: pending, then answered, expired or cancelled, once.

Whoever moves a request on holds its row, so that of answers, a cancel and the clock at the same
moment one comes first, and the others find it decided.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.requests.answers import check_answer
from assay.consults.requests.models import (
    ConsultationRequest,
    DecidedBy,
    RequestStatus,
    Response,
)
from assay.consults.requests.people import still_counts
from assay.consults.requests.quorum import decision
from assay.consults.requests.schemas import ResponseCreate
from assay.consults.requests.seeing import may_answer, visible
from assay.consults.requests.telling import RESPONDED, announcement, note
from assay.consults.webhooks.deliveries.announcing import announce
from assay.consults.webhooks.models import EventType
from assay.core.errors import Conflict, Forbidden, NotFound
from assay.identity.actor import Actor, Role, job_actor
from assay.identity.sight import Sight
from assay.identity.users.models import User
from assay.identity.users.service import user_of
from assay.jobs.service import NewJob, enqueue


class RequestNotFound(NotFound):
    """There is no request with this id."""


class RequestEnded(Conflict):
    """The request has come to its end already."""

    code = "request_ended"


class DeadlinePassed(Conflict):
    """The deadline of the request has passed."""

    code = "deadline_passed"


class OtherSubject(Conflict):
    """The request is about something else than what you have seen; read it again."""

    code = "other_subject"


class NotAssigned(Forbidden):
    """The request is assigned to others; have it assigned to you first."""

    code = "not_assigned"


class NotTheAsker(Forbidden):
    """Only who asked, or an admin, may do this."""

    code = "not_the_asker"


@dataclass(frozen=True, slots=True)
class Held:
    """A pending request that nobody else can change until the transaction ends, and the time."""

    request: ConsultationRequest
    now: datetime


async def hold(session: AsyncSession, sight: Sight, request_id: UUID) -> Held:
    """Hold a pending request.

    Raises:
        RequestNotFound, RequestEnded
    """
    query = (
        select(ConsultationRequest, func.clock_timestamp())
        .where(ConsultationRequest.id == request_id, visible(sight))
        .with_for_update(of=ConsultationRequest)
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise RequestNotFound
    held = Held(*found)
    status = held.request.status
    if status is not RequestStatus.pending:
        raise RequestEnded(f"The request has come to its end already: it is {status}.")
    return held


async def respond(
    session: AsyncSession, sight: Sight, request_id: UUID, answer: ResponseCreate
) -> ConsultationRequest:
    """Answer a request; decided or not, the request as it then is.

    Before the decision a reviewer may answer again, in place of what they said.

    Raises:
        RequestNotFound, RequestEnded
        DeadlinePassed: the clock has yet to end it, but it counts no answers any more.
        NotAssigned: the actor is not one of those who may answer.
        OtherSubject: the reviewer has seen something else.
        AnswerOffSchema: with the place of each fault.
    """
    actor = sight.actor
    held = await hold(session, sight, request_id)
    request = held.request
    if not may_answer(request, sight):
        raise NotAssigned
    if request.deadline is not None and held.now >= request.deadline:
        raise DeadlinePassed(f"The deadline passed at {request.deadline.isoformat()}.")
    if answer.subject_hash not in (None, request.subject_hash):
        raise OtherSubject
    check_answer(request.response_schema, answer.value, "body.value")
    values = {"value": answer.value, "comment": answer.comment}
    given = insert(Response).values(request_id=request.id, user_id=actor.user_id, **values)
    await session.execute(
        given.on_conflict_do_update(
            index_elements=[Response.request_id, Response.user_id],
            set_={**values, "created_at": func.clock_timestamp()},
        )
    )
    decided = await _decision(session, sight, request)
    note(session, actor, request, RESPONDED, values)
    if decided is not None:
        request.response, request.decided_by = decided, DecidedBy.reviewers
        await end(session, actor, Ending(held, RequestStatus.answered))
    return request


async def _decision(
    session: AsyncSession, sight: Sight, request: ConsultationRequest
) -> Any | None:
    """What the answers given so far decide."""
    given = await session.execute(
        select(Response.value, User)
        .outerjoin(User, user_of(Response.user_id))
        .where(Response.request_id == request.id)
        .order_by(Response.created_at, Response.id)
        .execution_options(populate_existing=True)
    )
    answers = [
        value
        for value, user in given.all()
        if await still_counts(session, sight, user, request.project_id)
    ]
    return decision(request.rule, request.quorum, request.kind, answers)


async def cancel(
    session: AsyncSession, sight: Sight, request_id: UUID, reason: str | None
) -> ConsultationRequest:
    """Take a request back; only its asker and admins may.

    Raises:
        RequestNotFound, RequestEnded, NotTheAsker
    """
    held = await hold(session, sight, request_id)
    require_asker(held.request, sight.actor)
    details = {"reason": reason} if reason else None
    await end(session, sight.actor, Ending(held, RequestStatus.cancelled, details))
    return held.request


def require_asker(request: ConsultationRequest, actor: Actor) -> None:
    """Make sure that the actor asked this, or is an admin.

    Raises:
        NotTheAsker
    """
    if request.requested_by != actor.user_id and actor.role is not Role.admin:
        raise NotTheAsker


_EVENTS = {
    RequestStatus.answered: EventType.answered,
    RequestStatus.expired: EventType.expired,
    RequestStatus.cancelled: EventType.cancelled,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request comes to its end.

    Attributes:
        held: the request; where it is answered, with its response and whose that is.
        status: answered, expired or cancelled.
        details: for its history.
    """

    held: Held
    status: RequestStatus
    details: Mapping[str, Any] | None = None


async def end(session: AsyncSession, actor: Actor | None, *endings: Ending) -> None:
    """Bring requests to their end, and wake what waits for them.

    Args:
        session: in whose transaction all of it happens.
        actor: who ends them; `None` for the clock.
        endings: each request with how it ends; many are written together.
    """
    for ending in endings:
        request, details = ending.held.request, dict(ending.details or {})
        request.status = ending.status
        if ending.status is RequestStatus.answered:
            request.responded_at = ending.held.now
            details["decided_by"] = request.decided_by
        note(session, actor, request, _EVENTS[ending.status], details)
    ended = [ending.held.request for ending in endings]
    await announce(session, *(announcement(request, _EVENTS[request.status]) for request in ended))
    await _wake(session, [(each, each.wakes) for each in ended if each.wakes is not None])


async def _wake(
    session: AsyncSession, waking: Sequence[tuple[ConsultationRequest, Mapping[str, Any]]]
) -> None:
    """Enqueue the jobs that rooms of Assay want done with the decisions."""
    if not waking:
        return
    answers = await _answers(session, [request.id for request, _ in waking])
    jobs = defaultdict[str, list[NewJob]](list)
    for request, wakes in waking:
        parent = wakes["parent_id"]
        params = {
            **wakes["params"],
            "request_id": str(request.id),
            "status": request.status,
            "response": request.response,
            "decided_by": request.decided_by,
            "answers": answers[request.id],
        }
        parent_id = UUID(parent) if parent else request.id
        jobs[request.requested_by].append(NewJob(wakes["job_type"], params, parent_id=parent_id))
    for user_id, theirs in jobs.items():
        await enqueue(session, job_actor(user_id), *theirs)


async def _answers(
    session: AsyncSession, request_ids: Sequence[UUID]
) -> Mapping[UUID, list[Mapping[str, Any]]]:
    """What reviewers answered, by the requests, the earliest answer first."""
    rows = await session.execute(
        select(Response, User.name)
        .outerjoin(User, user_of(Response.user_id))
        .where(Response.request_id.in_(request_ids))
        .order_by(Response.created_at, Response.id)
    )
    answers: Mapping[UUID, list[Mapping[str, Any]]] = {each: [] for each in request_ids}
    for response, name in rows:
        answers[response.request_id].append(
            {"by": name or response.user_id, "value": response.value, "comment": response.comment}
        )
    return answers
