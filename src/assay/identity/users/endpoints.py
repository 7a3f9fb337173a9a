"""Endpoints of users; for admins."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.text import Text
from assay.identity.access import Admin
from assay.identity.users import service
from assay.identity.users.models import User
from assay.identity.users.schemas import UserCreate, UserRead, UserUpdate
from assay.identity.users.service import EmailTaken, LastAdmin, UserNotFound

router = APIRouter(prefix="/users", tags=["users"], responses=problems(Invalid))


@router.get("", response_model=list[UserRead])
async def list_users(
    session: Session,
    actor: Admin,
    page: Paging,
    search: Annotated[Text, Query(description="Has this in name or e-mail address")] = "",
) -> Sequence[User]:
    """List users, newest first."""
    return await service.list_users(session, actor, page, search=search)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=UserRead,
    responses=problems(EmailTaken),
)
async def create_user(session: Session, actor: Admin, new: UserCreate) -> User:
    """Make a user, who can then sign in."""
    return await service.create_user(session, actor, new)


@router.get("/{user_id}", response_model=UserRead, responses=problems(UserNotFound))
async def get_user(session: Session, actor: Admin, user_id: UUID) -> User:
    """Read a user."""
    return await service.get_user(session, actor, user_id)


@router.patch("/{user_id}", response_model=UserRead, responses=problems(UserNotFound, LastAdmin))
async def update_user(session: Session, actor: Admin, user_id: UUID, changes: UserUpdate) -> User:
    """Change a user: only the fields that are sent. Switch one off with `is_active`."""
    return await service.update_user(session, actor, user_id, changes)
