"""Endpoints of providers and what is stored for them; for admins."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from assay.core.configured import Configured
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.problems import problems
from assay.gateway.credentials import service
from assay.gateway.credentials.schemas import ProviderName, ProviderPut, ProviderRead
from assay.gateway.credentials.service import NothingStored
from assay.identity.access import Admin

router = APIRouter(prefix="/providers", tags=["providers"])


Name = Annotated[ProviderName, Path(description="As in `provider/model`", examples=["openai"])]


@router.get("", response_model=list[ProviderRead])
async def list_providers(
    session: Session, actor: Admin, settings: Configured
) -> list[ProviderRead]:
    """List the providers of models, and where the key of each comes from."""
    return await service.list_providers(session, actor, settings)


@router.put("/{name}", response_model=ProviderRead, responses=problems(Invalid, NothingStored))
async def put_provider(
    session: Session, actor: Admin, settings: Configured, name: Name, new: ProviderPut
) -> ProviderRead:
    """Store a provider's key, sealed, and its address; variables of the environment win."""
    return await service.put_provider(session, actor, settings, name, new)


@router.delete(
    "/{name}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(Invalid, NothingStored),
)
async def delete_provider(session: Session, actor: Admin, name: Name) -> None:
    """Forget what is stored for a provider."""
    await service.delete_provider(session, actor, name)
