"""The endpoint of the import."""

from fastapi import APIRouter, status

from assay.core.database import Session
from assay.core.problems import problems
from assay.playground.access import Editor
from assay.playground.projects.service import ProjectNotFound
from assay.playground.promptfoo import service
from assay.playground.promptfoo.schemas import PromptfooImport, PromptfooImported
from assay.playground.promptfoo.suite import SuiteFault

router = APIRouter(prefix="/promptfoo", tags=["promptfoo"])


@router.post(
    "/import",
    status_code=status.HTTP_201_CREATED,
    response_model=PromptfooImported,
    responses=problems(SuiteFault, ProjectNotFound),
)
async def import_configuration(
    session: Session, actor: Editor, new: PromptfooImport
) -> PromptfooImported:
    """Make prompts, a dataset and runs to be started of a promptfoo configuration."""
    return await service.import_configuration(session, actor, new)
