"""Endpoints of sandboxes."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, status

from assay.agents.access import EditingSight, ReadingSight
from assay.agents.sandboxes import service
from assay.agents.sandboxes.lifecycle import Sandboxes
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.sandboxes.providers.types import SandboxUnreachable, SandboxUnusable
from assay.agents.sandboxes.schemas import SandboxRead
from assay.agents.sandboxes.service import SandboxNotFound
from assay.core.database import Database, Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.text import Text

router = APIRouter(prefix="/sandboxes", tags=["sandboxes"], responses=problems(Invalid))

SandboxId = Annotated[Text, Path(max_length=255)]


def _sandboxes(request: Request) -> Sandboxes:
    return cast("Sandboxes", request.app.state.workshop.sandboxes)


def _database(request: Request) -> Database:
    return cast("Database", request.app.state.database)


@router.get("", response_model=list[SandboxRead])
async def list_sandboxes(
    session: Session,
    sight: ReadingSight,
    page: Paging,
    agent_id: UUID | None = None,
    task_id: UUID | None = None,
    status: SandboxStatus | None = None,
) -> Sequence[Sandbox]:
    """List the sandboxes of the tasks that you see, newest first."""
    return await service.list_sandboxes(
        session, sight, page, agent_id=agent_id, task_id=task_id, status=status
    )


@router.get("/{sandbox_id}", response_model=SandboxRead, responses=problems(SandboxNotFound))
async def get_sandbox(session: Session, sight: ReadingSight, sandbox_id: SandboxId) -> Sandbox:
    """Read a sandbox."""
    return await service.get_sandbox(session, sight, sandbox_id)


@router.delete(
    "/{sandbox_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(SandboxNotFound, SandboxUnusable, SandboxUnreachable),
)
async def delete_sandbox(
    sandboxes: Annotated[Sandboxes, Depends(_sandboxes)],
    database: Annotated[Database, Depends(_database)],
    sight: EditingSight,
    sandbox_id: SandboxId,
) -> None:
    """Destroy a sandbox; what is going on in it fails. One that is gone already stays so."""
    await sandboxes.remove(database, sight, sandbox_id)
