"""Endpoints of the audit; for admins."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.schemas import Moment
from assay.core.text import Text
from assay.identity.access import Admin
from assay.identity.audit import service
from assay.identity.audit.models import AuditEntry
from assay.identity.audit.schemas import AuditEntryRead

router = APIRouter(prefix="/audit", tags=["audit"], responses=problems(Invalid))


@router.get("", response_model=list[AuditEntryRead])
async def list_entries(
    session: Session,
    _actor: Admin,
    page: Paging,
    user_id: Annotated[Text | None, Query(description="Done by this user")] = None,
    action: Annotated[Text | None, Query(description="As `project.deleted`")] = None,
    subject: Annotated[Text | None, Query(description="Done to the thing with this id")] = None,
    project_id: Annotated[UUID | None, Query(description="Done in this project")] = None,
    since: Annotated[Moment | None, Query(description="Not before this moment")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment")] = None,
) -> Sequence[AuditEntry]:
    """List who changed what, newest first."""
    return await service.list_entries(
        session,
        page,
        user_id=user_id,
        action=action,
        subject=subject,
        project_id=project_id,
        since=since,
        until=until,
    )
