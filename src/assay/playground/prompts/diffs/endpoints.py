"""Differences over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.problems import problems
from assay.playground.access import Reader
from assay.playground.prompts.diffs import service
from assay.playground.prompts.diffs.schemas import VersionDiff
from assay.playground.prompts.diffs.service import TooLongToCompare
from assay.playground.prompts.service import PromptNotFound
from assay.playground.prompts.versions.schemas import VersionReference
from assay.playground.prompts.versions.service import VersionNotFound

router = APIRouter(tags=["prompts"])


@router.get(
    "/prompts/{prompt_id}/diff",
    response_model=VersionDiff,
    responses=problems(Invalid, PromptNotFound, VersionNotFound, TooLongToCompare),
)
async def diff_versions(
    session: Session,
    actor: Reader,
    prompt_id: UUID,
    first: Annotated[VersionReference, Query(alias="from")],
    second: Annotated[VersionReference, Query(alias="to")],
) -> VersionDiff:
    """Show what is different between two versions, each named by its number or a label."""
    return await service.diff_versions(session, actor, prompt_id, first, second)
