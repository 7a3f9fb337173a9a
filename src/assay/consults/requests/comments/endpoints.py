"""Comments on requests over HTTP."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, status

from assay.consults.requests.comments import service
from assay.consults.requests.comments.schemas import CommentCreate, CommentRead
from assay.consults.requests.deciding import RequestNotFound
from assay.consults.requests.seeing import AskingSight, ReadingSight
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems

router = APIRouter(
    prefix="/requests/{request_id}/comments",
    tags=["requests"],
    responses=problems(Invalid, RequestNotFound),
)


@router.get("", response_model=list[CommentRead])
async def list_comments(
    session: Session, sight: ReadingSight, page: Paging, request_id: UUID
) -> Sequence[CommentRead]:
    """List the comments on a request, the first first."""
    return await service.list_comments(session, sight, request_id, page)


@router.post("", status_code=status.HTTP_201_CREATED)
async def add_comment(
    session: Session, sight: AskingSight, request_id: UUID, new: CommentCreate
) -> CommentRead:
    """Say something about a request to its reviewers and its asker."""
    return await service.add_comment(session, sight, request_id, new)
