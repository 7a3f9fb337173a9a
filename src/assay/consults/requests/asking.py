"""Make requests: for programs over HTTP, and for the rooms of Assay."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.requests.answers import answer_schema, check_answer
from assay.consults.requests.assignment import require_enough
from assay.consults.requests.deciding import Ending, Held, end
from assay.consults.requests.models import ConsultationRequest, RequestStatus
from assay.consults.requests.people import find_reviewers
from assay.consults.requests.schemas import RequestCreate
from assay.consults.requests.telling import tell
from assay.consults.webhooks.deliveries.announcing import Callback
from assay.consults.webhooks.models import EventType
from assay.core.errors import Conflict, FieldFault, Invalid
from assay.core.idempotency import Once
from assay.identity.actor import Actor
from assay.identity.sight import ProjectNotSeen, Sight
from assay.jobs.service import NewJob


class IdempotencyKeyReused(Conflict):
    """The Idempotency-Key was used for another request before; take a new one."""

    code = "idempotency_key_reused"


async def ask(
    session: AsyncSession,
    sight: Sight,
    new: RequestCreate,
    *,
    callback: Callback | None = None,
    once: Once | None = None,
    wakes: NewJob | None = None,
) -> ConsultationRequest:
    """Ask people.

    Args:
        session: in whose transaction the request is made.
        sight: of who asks.
        new: the question.
        callback: where to tell of the end; `new.callback_url` is not looked at here.
        once: where the caller gave an Idempotency-Key; what it made before is given again.
        wakes: a job to be enqueued in the transaction of the decision. To its parameters come
            `request_id`, `status`, `response`, `decided_by`, and `answers`, each with `by` (a
            name), `value` and `comment`.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
        NotToBeAsked, ProjectNotSeen
        Invalid: the deadline, the quorum or the default does not fit.
    """
    if once is not None and (earlier := await _earlier(session, sight.actor, once)) is not None:
        return earlier
    request = await _request(session, sight, new)
    if callback is not None:
        request.callback_url, request.callback_secret = callback.url, callback.secret
    if once is not None:
        request.idempotency_key, request.request_hash = once.key, once.digest
    if wakes is not None:
        parent = str(wakes.parent_id) if wakes.parent_id else None
        request.wakes = {
            "job_type": wakes.job_type,
            "params": dict(wakes.params),
            "parent_id": parent,
        }
    session.add(request)
    await session.flush()
    await tell(session, sight.actor, request, EventType.created)
    return request


async def _earlier(session: AsyncSession, actor: Actor, once: Once) -> ConsultationRequest | None:
    await once.take_turns(session, "consultation", actor.user_id)
    earlier = await session.scalar(
        select(ConsultationRequest).where(
            ConsultationRequest.requested_by == actor.user_id,
            ConsultationRequest.idempotency_key == once.key,
        )
    )
    if earlier is not None and earlier.request_hash != once.digest:
        told = f"it made the request {earlier.id} with another body"
        raise IdempotencyKeyReused(errors=[FieldFault("header.Idempotency-Key", told)])
    return earlier


async def _request(session: AsyncSession, sight: Sight, new: RequestCreate) -> ConsultationRequest:
    actor = sight.actor
    project_id = new.project_id or actor.project_id
    if project_id is not None and not sight.sees_project(project_id):
        raise ProjectNotSeen(errors=[FieldFault("body.project_id", "take one that you see")])
    options = [option.model_dump() for option in new.options] if new.options else None
    schema = answer_schema(
        new.kind, options=options, form=new.response_schema, edits=new.edits_schema
    )
    if new.default_response is not None:
        check_answer(schema, new.default_response, "body.default_response")
    assignees = await find_reviewers(
        session, sight, new.assignees, project_id, where="body.assignees"
    )
    require_enough(assignees, new.assignee_role, new.quorum, "body.assignees")
    escalate_to = await find_reviewers(
        session, sight, new.escalate_to, project_id, where="body.escalate_to"
    )
    deadline, escalate_at = await _moments(session, new)
    return ConsultationRequest(
        title=new.title,
        description=new.description,
        kind=new.kind,
        options=options,
        response_schema=schema,
        context=new.context,
        asker_metadata=new.metadata,
        priority=new.priority,
        requested_by=actor.user_id,
        key_id=actor.key_id,
        project_id=project_id,
        agent_id=new.agent_id,
        assignee_ids=assignees,
        assignee_role=new.assignee_role,
        quorum=new.quorum,
        rule=new.rule,
        deadline=deadline,
        default_response=new.default_response,
        escalate_at=escalate_at,
        escalate_to_ids=escalate_to,
        escalate_to_role=new.escalate_to_role,
        subject_hash=new.subject_hash,
    )


async def _moments(
    session: AsyncSession, new: RequestCreate
) -> tuple[datetime | None, datetime | None]:
    """When a request ends and when it is escalated, by the clock of the database."""
    now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    deadline = new.deadline
    if new.deadline_in is not None:
        deadline = now + timedelta(seconds=new.deadline_in)
    if deadline is not None and deadline <= now:
        fault = FieldFault("body.deadline", f"It is {now.isoformat()} now")
        raise Invalid("The deadline has passed already.", errors=[fault])
    escalate_at = None
    if new.escalate_after is not None:
        escalate_at = now + timedelta(seconds=new.escalate_after)
    if escalate_at is not None and deadline is not None and escalate_at >= deadline:
        fault = FieldFault("body.escalate_after", f"The deadline is {deadline.isoformat()}")
        raise Invalid("An escalation must come before the deadline.", errors=[fault])
    return deadline, escalate_at


async def withdraw(
    session: AsyncSession, actor: Actor, request_ids: Sequence[UUID], reason: str
) -> Sequence[UUID]:
    """Cancel those of some requests that are still pending, for a room that asked them.

    Gives the ids of those. The jobs that they were to wake are not enqueued: who withdraws knows.
    """
    row = ConsultationRequest
    query = (
        select(row, func.clock_timestamp())
        .where(row.id.in_(request_ids), row.status == RequestStatus.pending)
        # In one order, so that two who withdraw the same do not wait for each other.
        .order_by(row.id)
        .with_for_update(of=row)
    )
    endings = []
    for found in await session.execute(query):
        held = Held(*found)
        held.request.wakes = None
        endings.append(Ending(held, RequestStatus.cancelled, {"reason": reason}))
    await end(session, actor, *endings)
    return [ending.held.request.id for ending in endings]
