"""Endpoints of the members of a project."""

from uuid import UUID

from fastapi import APIRouter, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.identity.users.service import UserNotFound
from assay.playground.access import Editor, Leaver, Reader
from assay.playground.projects.members import service
from assay.playground.projects.members.schemas import MemberPut, MemberRead
from assay.playground.projects.members.service import MemberNotFound
from assay.playground.projects.service import ProjectNotFound

router = APIRouter(
    prefix="/projects/{project_id}/members",
    tags=["project-members"],
    responses=problems(Invalid, ProjectNotFound),
)


@router.get("", response_model=list[MemberRead])
async def list_members(
    session: Session, actor: Reader, page: Paging, project_id: UUID
) -> list[MemberRead]:
    """List whom a project is shared with."""
    return await service.list_members(session, actor, project_id, page)


@router.put("", response_model=MemberRead, responses=problems(ProjectNotFound, UserNotFound))
async def put_member(
    session: Session, actor: Editor, project_id: UUID, new: MemberPut
) -> MemberRead:
    """Share a project with somebody, or change what they may do in it."""
    return await service.put_member(session, actor, project_id, new)


@router.delete(
    "/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(ProjectNotFound, MemberNotFound),
)
async def delete_member(session: Session, actor: Leaver, project_id: UUID, user_id: UUID) -> None:
    """Share a project with somebody no more."""
    await service.delete_member(session, actor, project_id, user_id)
