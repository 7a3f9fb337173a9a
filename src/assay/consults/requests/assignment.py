"""Who is to answer a request: assigned by people, and escalated by them or by the clock."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.requests.deciding import Held, hold
from assay.consults.requests.models import ConsultationRequest, Priority
from assay.consults.requests.people import find_reviewers
from assay.consults.requests.schemas import Assignment, Escalation
from assay.consults.requests.seeing import may_answer
from assay.consults.requests.telling import tell
from assay.consults.webhooks.models import EventType
from assay.core.errors import FieldFault, Forbidden, Invalid
from assay.identity.actor import Actor, Role
from assay.identity.sight import Sight


class NotYours(Forbidden):
    """Only who asked, who may answer, or an admin may do this."""

    code = "not_yours"


class NobodyToEscalateTo(Invalid):
    """The request names nobody to escalate it to: say whom."""

    code = "nobody_to_escalate_to"


def _require_part(request: ConsultationRequest, sight: Sight) -> None:
    actor = sight.actor
    asked = request.requested_by == actor.user_id
    if not (asked or actor.role is Role.admin or may_answer(request, sight)):
        raise NotYours


async def assign(
    session: AsyncSession, sight: Sight, request_id: UUID, new: Assignment
) -> ConsultationRequest:
    """Say who is to answer from now on, in place of who was; answers given already count.

    Raises:
        RequestNotFound, RequestEnded, NotYours, NotToBeAsked
        Invalid: fewer are named than the quorum takes.
    """
    request = (await hold(session, sight, request_id)).request
    _require_part(request, sight)
    ids = await find_reviewers(
        session, sight, new.assignees, request.project_id, where="body.assignees"
    )
    require_enough(ids, new.assignee_role, request.quorum, "body.assignees")
    request.assignee_ids, request.assignee_role = ids, new.assignee_role
    details = {"assignee_ids": ids, "assignee_role": new.assignee_role}
    await tell(session, sight.actor, request, EventType.assigned, details)
    return request


def require_enough(ids: Sequence[str], role: Role | None, quorum: int, where: str) -> None:
    """Make sure that those who are assigned can be a quorum.

    Raises:
        Invalid
    """
    if ids and role is None and len(ids) < quorum:
        fault = FieldFault(where, f"The quorum is {quorum}: name as many, or a role")
        raise Invalid("Too few could answer for a decision.", errors=[fault])


async def escalate(
    session: AsyncSession, sight: Sight, request_id: UUID, new: Escalation
) -> ConsultationRequest:
    """Let more people answer a request now: those who are named, or whom its asker named.

    Raises:
        RequestNotFound, RequestEnded, NotYours, NotToBeAsked, NobodyToEscalateTo
    """
    held = await hold(session, sight, request_id)
    request = held.request
    _require_part(request, sight)
    ids, role = request.escalate_to_ids, request.escalate_to_role
    if new.escalate_to or new.escalate_to_role is not None:
        role = new.escalate_to_role
        ids = await find_reviewers(
            session, sight, new.escalate_to, request.project_id, where="body.escalate_to"
        )
    if not ids and role is None:
        raise NobodyToEscalateTo(errors=[FieldFault("body.escalate_to", "name somebody")])
    await add_escalated(session, sight.actor, held, ids, role, new.reason)
    return request


async def add_escalated(
    session: AsyncSession,
    actor: Actor | None,
    held: Held,
    ids: Sequence[str],
    role: Role | None,
    reason: str | None,
) -> None:
    """Escalate a request: more may answer, and it matters a step more.

    Args:
        session: in whose transaction it happens.
        actor: who does it; `None` for the clock.
        held: the request.
        ids: users who may answer from now on as well.
        role: everybody with it may answer from now on as well.
        reason: for its history.
    """
    request = held.request
    if not request.assignee_ids and request.assignee_role is None:
        # Whoever could answer before still can.
        request.assignee_role = Role.reviewer
    request.assignee_ids = list(dict.fromkeys([*request.assignee_ids, *ids]))
    roles = [each for each in (request.assignee_role, role) if each is not None]
    request.assignee_role = min(roles, key=list(Role).index) if roles else None
    request.priority = _next_step(request.priority)
    request.escalate_at = None
    request.escalated_at = held.now
    details = {"escalate_to_ids": list(ids), "escalate_to_role": role, "reason": reason}
    await tell(session, actor, request, EventType.escalated, details)


def _next_step(priority: Priority) -> Priority:
    steps = list(Priority)
    return steps[min(steps.index(priority) + 1, len(steps) - 1)]
