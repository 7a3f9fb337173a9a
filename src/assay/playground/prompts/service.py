"""Rules and queries of prompts."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import with_expression
from sqlalchemy.orm.attributes import set_committed_value

from assay.core.errors import NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, changed_fields, record
from assay.playground.access import authorize, in_use_cases, project_of_prompt
from assay.playground.counting import counts, select_fresh
from assay.playground.projects.service import hold_use_case, require_use_case
from assay.playground.prompts.models import Prompt, PromptLabel, PromptVersion
from assay.playground.prompts.schemas import PromptCreate, PromptUpdate
from assay.playground.runs.models import EvalRun
from assay.playground.runs.people import People
from assay.playground.runs.service import cancel_runs


class PromptNotFound(NotFound):
    """There is no prompt with this id."""


def _prompts(actor: Actor) -> Select[Prompt]:
    of_prompt = PromptVersion.prompt_id == Prompt.id
    versions = select(func.count()).select_from(PromptVersion).where(of_prompt).correlate(Prompt)
    runs = versions.join(EvalRun, EvalRun.prompt_version_id == PromptVersion.id)
    latest = select(func.max(PromptVersion.version_number)).where(of_prompt).correlate(Prompt)
    pairs = func.jsonb_object_agg(PromptLabel.label, PromptVersion.version_number)
    labels = (
        select(func.coalesce(pairs, func.jsonb_build_object(), type_=JSONB))
        .select_from(PromptLabel)
        .join(PromptVersion, PromptVersion.id == PromptLabel.version_id)
        .where(PromptLabel.prompt_id == Prompt.id)
        .correlate(Prompt)
    )
    query = select_fresh(Prompt).where(in_use_cases(actor, Prompt.use_case_id))
    return query.options(
        with_expression(Prompt.counts, counts(versions=versions, runs=runs)),
        with_expression(Prompt.latest_version, latest.scalar_subquery()),
        with_expression(Prompt.labels, labels.scalar_subquery()),
    )


async def list_prompts(
    session: AsyncSession,
    actor: Actor,
    use_case_id: UUID,
    page: Page,
    *,
    tags_all: Sequence[str] = (),
    tags_any: Sequence[str] = (),
    search: str = "",
) -> Sequence[Prompt]:
    """A page of a use case's prompts, newest first.

    Args:
        session: the session.
        actor: the one who asks.
        use_case_id: the use case.
        page: the page asked for.
        tags_all: only prompts that have all of these tags.
        tags_any: only prompts that have at least one of these tags.
        search: only prompts with this text in their name, in whatever case.

    Raises:
        UseCaseNotFound
    """
    query = _prompts(actor).where(Prompt.use_case_id == use_case_id)
    if tags_all:
        query = query.where(Prompt.tags.contains(list(tags_all)))
    if tags_any:
        query = query.where(Prompt.tags.overlap(list(tags_any)))
    if search:
        query = query.where(Prompt.name.icontains(search, autoescape=True))
    prompts = await page.fetch(session, query, Prompt.id)
    if not prompts:
        await require_use_case(session, actor, use_case_id)
    return prompts


async def create_prompt(
    session: AsyncSession, actor: Actor, use_case_id: UUID, new: PromptCreate
) -> Prompt:
    """Make a prompt, as yet without a version.

    Raises:
        UseCaseNotFound, RoleTooLow
    """
    project_id = await hold_use_case(session, actor, use_case_id)
    prompt = Prompt(use_case_id=use_case_id, **new.model_dump())
    session.add(prompt)
    await session.flush()
    _record(session, actor, "prompt.created", prompt.id, project_id, name=prompt.name)
    set_committed_value(prompt, "counts", {})
    set_committed_value(prompt, "labels", {})
    return prompt


async def get_prompt(
    session: AsyncSession, actor: Actor, prompt_id: UUID, *, for_update: bool = False
) -> Prompt:
    """A prompt with its counts, newest number and labels.

    `for_update` keeps it from being changed or deleted until the transaction ends.

    Raises:
        PromptNotFound
    """
    query = _prompts(actor).where(Prompt.id == prompt_id)
    if for_update:
        query = query.with_for_update(key_share=True, of=Prompt)
    prompt = await session.scalar(query)
    if prompt is None:
        raise PromptNotFound
    return prompt


async def update_prompt(
    session: AsyncSession, actor: Actor, prompt_id: UUID, changes: PromptUpdate
) -> Prompt:
    """Change the fields that were sent.

    Raises:
        PromptNotFound, RoleTooLow
    """
    project_id = await authorize_prompt(session, actor, prompt_id)
    prompt = await get_prompt(session, actor, prompt_id, for_update=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(prompt, field, value)
    told = changed_fields(prompt)
    await session.flush()
    _record(session, actor, "prompt.updated", prompt.id, project_id, **told)
    return prompt


async def delete_prompt(
    session: AsyncSession, actor: Actor, people: People, prompt_id: UUID
) -> None:
    """Delete a prompt with its versions and their runs.

    Runs that go on are canceled before, and what `people` were asked for them is withdrawn.

    Raises:
        PromptNotFound, RoleTooLow
    """
    project_id = await authorize_prompt(session, actor, prompt_id)
    versions = select(PromptVersion.id).where(PromptVersion.prompt_id == prompt_id)
    await cancel_runs(session, actor, people, EvalRun.prompt_version_id.in_(versions))
    statement = delete(Prompt).where(Prompt.id == prompt_id).returning(Prompt.name)
    name = await session.scalar(statement)
    if name is None:
        raise PromptNotFound
    _record(session, actor, "prompt.deleted", prompt_id, project_id, name=name)


async def authorize_prompt(session: AsyncSession, actor: Actor, prompt_id: UUID) -> UUID:
    """Make sure that the actor may change a prompt; gives the project that it is in.

    Raises:
        PromptNotFound, RoleTooLow
    """
    project = project_of_prompt(prompt_id)
    return await authorize(session, actor, Role.editor, project, PromptNotFound())


def _record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    subject: UUID,
    project_id: UUID,
    **details: object,
) -> None:
    record(session, actor, Change(Topic.prompts, action, subject, project_id, details))
