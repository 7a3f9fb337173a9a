"""Rules and queries of comments: who sees a request may say something about it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.consults.requests.comments.models import Comment
from assay.consults.requests.comments.schemas import CommentCreate, CommentRead
from assay.consults.requests.people import names_of
from assay.consults.requests.reading import get_request
from assay.consults.requests.telling import tell
from assay.consults.webhooks.models import EventType
from assay.core.pagination import Page
from assay.identity.sight import Sight


async def list_comments(
    session: AsyncSession, sight: Sight, request_id: UUID, page: Page
) -> Sequence[CommentRead]:
    """A page of the comments on a request, the first first.

    Raises:
        RequestNotFound
    """
    await get_request(session, sight, request_id)
    query = select(Comment).where(Comment.request_id == request_id)
    comments = await page.fetch(session, query, Comment.id, descending=False)
    names = await names_of(session, [comment.user_id for comment in comments])
    return [_read(comment, names.get(comment.user_id)) for comment in comments]


async def add_comment(
    session: AsyncSession, sight: Sight, request_id: UUID, new: CommentCreate
) -> CommentRead:
    """Say something about a request, also after its end.

    Raises:
        RequestNotFound
    """
    request = await get_request(session, sight, request_id)
    comment = Comment(request_id=request_id, user_id=sight.actor.user_id, text=new.text)
    session.add(comment)
    await session.flush()
    details = {"comment_id": str(comment.id)}
    await tell(session, sight.actor, request, EventType.commented, details)
    names = await names_of(session, [comment.user_id])
    return _read(comment, names.get(comment.user_id))


def _read(comment: Comment, name: str | None) -> CommentRead:
    return CommentRead(
        id=comment.id,
        user_id=comment.user_id,
        name=name,
        text=comment.text,
        created_at=comment.created_at,
    )
