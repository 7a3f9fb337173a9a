"""Endpoints of API keys."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, status
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Session
from assay.core.errors import Invalid, NotFound
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.identity.access import Person
from assay.identity.actor import Actor
from assay.identity.authentication import Authenticator
from assay.identity.keys import service
from assay.identity.keys.models import ApiKey
from assay.identity.keys.schemas import KeyCreate, KeyCreated, KeyRead
from assay.identity.keys.service import KeyNotFound, KeyWithoutUser

RequireProject = Callable[[AsyncSession, Actor, UUID], Awaitable[None]]


def keys_router(require_project: RequireProject) -> APIRouter:
    """The endpoints of keys.

    Args:
        require_project: raises `NotFound` for a project that the actor does not see.
    """
    router = APIRouter(prefix="/keys", tags=["keys"], responses=problems(Invalid))

    @router.get("", response_model=list[KeyRead])
    async def list_keys(
        session: Session,
        actor: Person,
        page: Paging,
        of_all: Annotated[bool, Query(description="Those of everybody; for admins")] = False,
    ) -> Sequence[ApiKey]:
        """List your API keys, newest first."""
        return await service.list_keys(session, actor, page, of_all=of_all)

    @router.post(
        "",
        status_code=status.HTTP_201_CREATED,
        response_model=KeyCreated,
        responses=problems(KeyWithoutUser, NotFound),
    )
    async def create_key(
        request: Request, session: Session, actor: Person, new: KeyCreate
    ) -> KeyCreated:
        """Make an API key, which is shown this once."""
        if new.project_id is not None:
            await require_project(session, actor, new.project_id)
        authenticator = cast("Authenticator", request.app.state.authenticator)
        pepper = await authenticator.pepper(session)
        row, key = await service.create_key(session, actor, new, pepper)
        return KeyCreated(**KeyRead.model_validate(row).model_dump(), key=key)

    @router.get("/{key_id}", response_model=KeyRead, responses=problems(KeyNotFound))
    async def get_key(session: Session, actor: Person, key_id: UUID) -> ApiKey:
        """Read an API key, without the key itself."""
        return await service.get_key(session, actor, key_id)

    @router.delete(
        "/{key_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(KeyNotFound)
    )
    async def revoke_key(session: Session, actor: Person, key_id: UUID) -> None:
        """Revoke an API key: it is refused from now on."""
        await service.revoke_key(session, actor, key_id)

    return router
