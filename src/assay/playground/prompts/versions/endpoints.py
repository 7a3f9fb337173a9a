"""Endpoints of versions and labels."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.templates import TemplateFault
from assay.playground.access import Editor, Reader
from assay.playground.prompts.gates.check import GateNotMet
from assay.playground.prompts.models import PromptVersion
from assay.playground.prompts.service import PromptNotFound
from assay.playground.prompts.variables import VariablesFault
from assay.playground.prompts.versions import service
from assay.playground.prompts.versions.schemas import (
    Label,
    LabelUpdate,
    RenderRequest,
    RenderResult,
    VersionCreate,
    VersionRead,
    VersionReference,
)
from assay.playground.prompts.versions.service import LabelNotFound, VersionInUse, VersionNotFound

versions = APIRouter(tags=["prompt-versions"], responses=problems(Invalid))
labels = APIRouter(tags=["prompt-labels"], responses=problems(Invalid))


@versions.get(
    "/prompts/{prompt_id}/versions",
    response_model=list[VersionRead],
    responses=problems(PromptNotFound),
)
async def list_versions(
    session: Session, actor: Reader, page: Paging, prompt_id: UUID
) -> Sequence[PromptVersion]:
    """List the versions of a prompt, newest first."""
    return await service.list_versions(session, actor, prompt_id, page)


@versions.post(
    "/prompts/{prompt_id}/versions",
    status_code=status.HTTP_201_CREATED,
    response_model=VersionRead,
    responses=problems(PromptNotFound),
)
async def create_version(
    session: Session, actor: Editor, prompt_id: UUID, new: VersionCreate
) -> PromptVersion:
    """Make the next version of a prompt."""
    return await service.create_version(session, actor, prompt_id, new)


@versions.get(
    "/prompts/{prompt_id}/versions/{reference}",
    response_model=VersionRead,
    responses=problems(PromptNotFound, VersionNotFound),
)
async def find_version(
    session: Session,
    actor: Reader,
    prompt_id: UUID,
    reference: Annotated[VersionReference, Path()],
) -> PromptVersion:
    """Read the version of a prompt that a number or a label names."""
    return await service.find_version(session, actor, prompt_id, reference)


@versions.get(
    "/prompt-versions/{version_id}",
    response_model=VersionRead,
    responses=problems(VersionNotFound),
)
async def get_version(session: Session, actor: Reader, version_id: UUID) -> PromptVersion:
    """Read a version."""
    return await service.get_version(session, actor, version_id)


@versions.delete(
    "/prompt-versions/{version_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(VersionNotFound, VersionInUse),
)
async def delete_version(session: Session, actor: Editor, version_id: UUID) -> None:
    """Delete a version that has no labels and no runs; its number is not given again."""
    await service.delete_version(session, actor, version_id)


@versions.post(
    "/prompt-versions/{version_id}/render",
    response_model=RenderResult,
    responses=problems(VersionNotFound, VariablesFault, TemplateFault),
)
async def render_version(
    session: Session, actor: Reader, version_id: UUID, request: RenderRequest
) -> RenderResult:
    """Fill in a version's templates: the messages exactly as a model gets them."""
    messages = await service.render_version(session, actor, version_id, request.variables)
    return RenderResult.model_validate({"messages": messages})


@labels.put(
    "/prompts/{prompt_id}/labels/{label}",
    response_model=VersionRead,
    responses=problems(PromptNotFound, VersionNotFound, GateNotMet),
)
async def put_label(
    session: Session,
    actor: Editor,
    prompt_id: UUID,
    label: Annotated[Label, Path()],
    new: LabelUpdate,
) -> PromptVersion:
    """Put a label on a version, and take it off the one that had it; a protected one has a gate."""
    return await service.put_label(session, actor, prompt_id, label, new.version_number)


@labels.delete(
    "/prompts/{prompt_id}/labels/{label}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(PromptNotFound, LabelNotFound),
)
async def delete_label(
    session: Session, actor: Editor, prompt_id: UUID, label: Annotated[Label, Path()]
) -> None:
    """Take a label off; the version stays. A protected one takes an admin of the project."""
    await service.delete_label(session, actor, prompt_id, label)
