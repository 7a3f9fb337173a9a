"""Who sees a request, and who may answer it.

A request is seen by whoever asked it, by admins, and by reviewers: those it is assigned to, or
all of them where it is assigned to nobody. What belongs to a project is seen only by those who
see the project, and answered only by those who are reviewers there.
"""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, and_, false, or_

from assay.consults.access import Asker, Reader, Reviewer
from assay.consults.requests.models import ConsultationRequest
from assay.identity.actor import Role
from assay.identity.sight import Sight, see


def visible(sight: Sight) -> ColumnElement[bool]:
    """Whether a request is seen; for the `where` of every query."""
    seen = sight.inside(ConsultationRequest.project_id)
    actor = sight.actor
    if actor.role is Role.admin:
        return seen
    mine = ConsultationRequest.requested_by == actor.user_id
    return and_(seen, or_(mine, for_reviewer(sight)))


def for_reviewer(sight: Sight) -> ColumnElement[bool]:
    """Whether the actor is one of those who may answer a request."""
    actor, row = sight.actor, ConsultationRequest
    if not actor.role.covers(Role.reviewer):
        return false()
    covered = [role for role in Role if actor.role.covers(role)]
    assigned = or_(
        and_(row.assignee_ids == [], row.assignee_role.is_(None)),
        row.assignee_ids.contains([actor.user_id]),
        row.assignee_role.in_(covered),
    )
    return and_(sight.inside(row.project_id, as_role=Role.reviewer), assigned)


def may_answer(request: ConsultationRequest, sight: Sight) -> bool:
    """As `for_reviewer`, of a request at hand."""
    actor = sight.actor
    if not sight.covers(Role.reviewer, request.project_id):
        return False
    if not request.assignee_ids and request.assignee_role is None:
        return True
    by_role = request.assignee_role is not None and actor.role.covers(request.assignee_role)
    return by_role or actor.user_id in request.assignee_ids


async def _reader(request: Request, actor: Reader) -> Sight:
    return await see(request, actor)


async def _asker(request: Request, actor: Asker) -> Sight:
    return await see(request, actor)


async def _reviewer(request: Request, actor: Reviewer) -> Sight:
    return await see(request, actor)


ReadingSight = Annotated[Sight, Depends(_reader)]
AskingSight = Annotated[Sight, Depends(_asker)]
ReviewingSight = Annotated[Sight, Depends(_reviewer)]
