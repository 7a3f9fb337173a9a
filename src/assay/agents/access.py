"""Who may see and change agents, tasks and sandboxes.

What belongs to a project is seen by those who see the project, and changed by those who are
editors there; what belongs to none is its maker's own. Admins see and change everything.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from assay.identity.access import Guard, RoleTooLow
from assay.identity.actor import Actor, Role, Scope
from assay.identity.sight import Sight, see

Reader = Annotated[Actor, Depends(Guard(Role.viewer, Scope.agents_read))]
Editor = Annotated[Actor, Depends(Guard(Role.editor, Scope.agents_write))]


async def _reader(request: Request, actor: Reader) -> Sight:
    return await see(request, actor)


async def _editor(request: Request, actor: Editor) -> Sight:
    return await see(request, actor)


ReadingSight = Annotated[Sight, Depends(_reader)]
EditingSight = Annotated[Sight, Depends(_editor)]


def visible(
    sight: Sight,
    project_id: InstrumentedAttribute[UUID | None],
    created_by: InstrumentedAttribute[str],
) -> ColumnElement[bool]:
    """Whether a row with these columns is seen; for the `where` of every query."""
    inside = sight.inside(project_id)
    if sight.actor.role is Role.admin:
        return inside
    return and_(inside, or_(project_id.is_not(None), created_by == sight.actor.user_id))


def authorize_change(sight: Sight, project_id: UUID | None) -> None:
    """Make sure that somebody may change what they see in a project, or in none; for every write.

    Raises:
        RoleTooLow: they see it, but are no editor there.
    """
    if not sight.covers(Role.editor, project_id):
        raise RoleTooLow("This takes the role editor in the project.")
