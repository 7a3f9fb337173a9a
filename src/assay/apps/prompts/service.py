"""Rules and queries of prompts: those of all that is kept in versions."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps import versioned
from assay.apps.defaults import Defaults
from assay.apps.prompts.models import AppPrompt
from assay.apps.prompts.schemas import AppPromptCreate, AppPromptUpdate
from assay.apps.versioned import Kind
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor


class AppPromptNotFound(NotFound):
    """There is no prompt with this id."""


_PROMPTS = Kind(AppPrompt, "app_prompt", AppPromptNotFound, Defaults.prompts)


async def list_prompts(
    session: AsyncSession,
    actor: Actor,
    page: OffsetPage,
    app_id: str,
    *,
    prompt_type: str | None = None,
    source_type: str | None = None,
) -> Sequence[AppPrompt]:
    """A page of the actor's prompts for an app, newest first."""
    of_source = () if source_type is None else (AppPrompt.source_type == source_type,)
    return await versioned.list_versions(
        session, actor, page, _PROMPTS, app_id, prompt_type, *of_source
    )


async def get_prompt(session: AsyncSession, actor: Actor, number: int) -> AppPrompt:
    """The prompt with this id.

    Raises:
        AppPromptNotFound
    """
    return await versioned.get_version(session, actor, _PROMPTS, number)


async def create_prompt(session: AsyncSession, actor: Actor, new: AppPromptCreate) -> AppPrompt:
    """Store a prompt as the next version of its type."""
    return await versioned.create_version(session, actor, _PROMPTS, new.model_dump())


async def update_prompt(
    session: AsyncSession, actor: Actor, number: int, changes: AppPromptUpdate
) -> AppPrompt:
    """Change the fields that were sent.

    Raises:
        AppPromptNotFound
    """
    fields = changes.model_dump(exclude_unset=True)
    return await versioned.update_version(session, actor, _PROMPTS, number, fields)


async def delete_prompt(session: AsyncSession, actor: Actor, number: int) -> None:
    """Delete a prompt that is not a default.

    Raises:
        AppPromptNotFound, DefaultStays
    """
    await versioned.delete_version(session, actor, _PROMPTS, number)


async def ensure_defaults(session: AsyncSession, actor: Actor, app_id: str) -> Sequence[AppPrompt]:
    """Give the actor the default prompts of an app that they do not have yet; gives them all."""
    return await versioned.ensure_defaults(session, actor, _PROMPTS, app_id)
