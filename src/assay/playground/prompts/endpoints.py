"""Endpoints of prompts."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.text import Text
from assay.playground.access import Editor, Reader
from assay.playground.projects.service import UseCaseNotFound
from assay.playground.prompts import service
from assay.playground.prompts.models import Prompt
from assay.playground.prompts.schemas import PromptCreate, PromptRead, PromptUpdate
from assay.playground.prompts.service import PromptNotFound
from assay.playground.runs.people import AskedPeople

router = APIRouter(tags=["prompts"], responses=problems(Invalid))


@router.get(
    "/use-cases/{use_case_id}/prompts",
    response_model=list[PromptRead],
    responses=problems(UseCaseNotFound),
)
async def list_prompts(
    session: Session,
    actor: Reader,
    page: Paging,
    use_case_id: UUID,
    tags_all: Annotated[list[Text], Query(description="Has all of these tags")] = [],  # noqa: B006  # FastAPI copies it
    tags_any: Annotated[list[Text], Query(description="Has one of these tags")] = [],  # noqa: B006  # FastAPI copies it
    search: Annotated[Text, Query(description="Has this in its name, in whatever case")] = "",
) -> Sequence[Prompt]:
    """List the prompts of a use case, newest first."""
    return await service.list_prompts(
        session,
        actor,
        use_case_id,
        page,
        tags_all=tags_all,
        tags_any=tags_any,
        search=search,
    )


@router.post(
    "/use-cases/{use_case_id}/prompts",
    status_code=status.HTTP_201_CREATED,
    response_model=PromptRead,
    responses=problems(UseCaseNotFound),
)
async def create_prompt(
    session: Session, actor: Editor, use_case_id: UUID, new: PromptCreate
) -> Prompt:
    """Make a prompt; its text comes with its first version."""
    return await service.create_prompt(session, actor, use_case_id, new)


@router.get("/prompts/{prompt_id}", response_model=PromptRead, responses=problems(PromptNotFound))
async def get_prompt(session: Session, actor: Reader, prompt_id: UUID) -> Prompt:
    """Read a prompt."""
    return await service.get_prompt(session, actor, prompt_id)


@router.patch("/prompts/{prompt_id}", response_model=PromptRead, responses=problems(PromptNotFound))
async def update_prompt(
    session: Session, actor: Editor, prompt_id: UUID, changes: PromptUpdate
) -> Prompt:
    """Change a prompt: only the fields that are sent."""
    return await service.update_prompt(session, actor, prompt_id, changes)


@router.delete(
    "/prompts/{prompt_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(PromptNotFound),
)
async def delete_prompt(
    session: Session, actor: Editor, people: AskedPeople, prompt_id: UUID
) -> None:
    """Delete a prompt with its versions and their runs; those that go on are canceled."""
    await service.delete_prompt(session, actor, people, prompt_id)
