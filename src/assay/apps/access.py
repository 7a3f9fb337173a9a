"""Who may use this room: everybody has rows of their own, and sees no others.

A row of another owner is answered as if it did not exist, also to admins: what front ends keep
for somebody is theirs.
"""

from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from assay.identity.access import Guard
from assay.identity.actor import Actor, Role, Scope

AppReader = Annotated[Actor, Depends(Guard(Role.viewer, Scope.apps_read))]
AppWriter = Annotated[Actor, Depends(Guard(Role.editor, Scope.apps_write))]


def owned(actor: Actor, user_id: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Whether the row is the actor's own; for the `where` of every query."""
    condition: ColumnElement[bool] = user_id == actor.user_id
    return condition
