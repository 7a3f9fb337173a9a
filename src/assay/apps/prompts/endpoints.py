"""Prompts of an app over HTTP."""

from collections.abc import Sequence

from fastapi import APIRouter, status

from assay.apps import versioned
from assay.apps.access import AppReader, AppWriter
from assay.apps.prompts.models import AppPrompt
from assay.apps.prompts.schemas import AppPromptCreate, AppPromptRead, AppPromptUpdate
from assay.apps.prompts.service import PROMPTS, AppPromptNotFound
from assay.apps.versioned import DefaultStays
from assay.apps.wire import AppQuery, Deleted, NumberPath, Text20, Text50
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems

router = APIRouter(prefix="/prompts", tags=["app-prompts"], responses=problems(Invalid))


@router.get("", response_model=list[AppPromptRead])
async def list_prompts(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    app_id: AppQuery,
    prompt_type: Text50 | None = None,
    source_type: Text20 | None = None,
) -> Sequence[AppPrompt]:
    """List the prompts of an app, newest first."""
    return await versioned.list_versions(
        session, actor, page, PROMPTS, app_id, prompt_type=prompt_type, source_type=source_type
    )


@router.post("", status_code=status.HTTP_201_CREATED, response_model=AppPromptRead)
async def create_prompt(session: Session, actor: AppWriter, new: AppPromptCreate) -> AppPrompt:
    """Store a prompt as the next version of its app and type."""
    return await versioned.create_version(session, actor, PROMPTS, new)


@router.post("/ensure-defaults", response_model=list[AppPromptRead])
async def ensure_defaults(
    session: Session, actor: AppWriter, app_id: AppQuery
) -> Sequence[AppPrompt]:
    """Make the app's default prompts where they are missing, and read the newest of each type."""
    return await versioned.ensure_defaults(session, actor, PROMPTS, app_id)


@router.get("/{app_prompt_id}", response_model=AppPromptRead, responses=problems(AppPromptNotFound))
async def get_prompt(session: Session, actor: AppReader, app_prompt_id: NumberPath) -> AppPrompt:
    """Read a prompt."""
    return await versioned.get_version(session, actor, PROMPTS, app_prompt_id)


@router.put("/{app_prompt_id}", response_model=AppPromptRead, responses=problems(AppPromptNotFound))
async def update_prompt(
    session: Session, actor: AppWriter, app_prompt_id: NumberPath, changes: AppPromptUpdate
) -> AppPrompt:
    """Change a prompt: only the fields that are sent. Its version stays."""
    return await versioned.update_version(session, actor, PROMPTS, app_prompt_id, changes)


@router.delete("/{app_prompt_id}", responses=problems(AppPromptNotFound, DefaultStays))
async def delete_prompt(session: Session, actor: AppWriter, app_prompt_id: NumberPath) -> Deleted:
    """Delete a prompt that is not a default."""
    await versioned.delete_version(session, actor, PROMPTS, app_prompt_id)
    return Deleted(id=app_prompt_id)
