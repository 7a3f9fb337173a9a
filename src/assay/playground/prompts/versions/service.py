"""Rules and queries of versions and labels."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, array, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import with_expression
from sqlalchemy.orm.attributes import set_committed_value

from assay.core.errors import Conflict, FieldFault, NotFound
from assay.core.pagination import Page
from assay.core.templates import TemplateFault
from assay.events.models import Topic
from assay.gateway.types import Message
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, record
from assay.playground.access import (
    authorize,
    in_prompts,
    project_of_prompt,
    project_of_version,
)
from assay.playground.counting import select_fresh
from assay.playground.prompts.gates.check import require_gate_met
from assay.playground.prompts.gates.service import hold_gate, hold_prompt
from assay.playground.prompts.models import LabelGate, Prompt, PromptLabel, PromptVersion
from assay.playground.prompts.rendering import PromptRenderer
from assay.playground.prompts.service import PromptNotFound, authorize_prompt
from assay.playground.prompts.variables import derive_schema, require_fitting
from assay.playground.prompts.versions.schemas import VersionCreate
from assay.playground.runs.models import EvalRun


class VersionNotFound(NotFound):
    """There is no such version."""


class LabelNotFound(NotFound):
    """The prompt has no such label."""


class VersionInUse(Conflict):
    """The version has labels or runs, so it cannot be deleted."""


def _versions(actor: Actor) -> Select[PromptVersion]:
    labels = (
        select(func.array_agg(aggregate_order_by(PromptLabel.label, PromptLabel.label)))
        .where(
            PromptLabel.prompt_id == PromptVersion.prompt_id,
            PromptLabel.version_id == PromptVersion.id,
        )
        .correlate(PromptVersion)
        .scalar_subquery()
    )
    listed: ColumnElement[Any] = func.coalesce(labels, array([], type_=PromptLabel.label.type))
    query = select_fresh(PromptVersion).where(in_prompts(actor, PromptVersion.prompt_id))
    return query.options(with_expression(PromptVersion.labels, listed))


async def list_versions(
    session: AsyncSession, actor: Actor, prompt_id: UUID, page: Page
) -> Sequence[PromptVersion]:
    """A page of a prompt's versions, newest first.

    Raises:
        PromptNotFound
    """
    query = _versions(actor).where(PromptVersion.prompt_id == prompt_id)
    versions = await page.fetch(session, query, PromptVersion.version_number)
    if not versions:
        await _require_prompt(session, actor, prompt_id)
    return versions


async def create_version(
    session: AsyncSession, actor: Actor, prompt_id: UUID, new: VersionCreate
) -> PromptVersion:
    """Make a prompt's next version.

    Raises:
        PromptNotFound, RoleTooLow
    """
    project_id = await authorize_prompt(session, actor, prompt_id)
    version = PromptVersion(
        prompt_id=prompt_id,
        # The update locks the prompt until the transaction ends: no number is given twice.
        version_number=await _next_number(session, prompt_id),
        type=new.type,
        template_text=new.template_text,
        template_messages=new.messages(),
        model_defaults=new.model_defaults,
        variables_schema=new.variables_schema or derive_schema(new.renderer()),
        commit_message=new.commit_message,
        created_by=actor.user_id,
    )
    session.add(version)
    await session.flush()
    _record(session, actor, "prompt_version.created", version, project_id)
    set_committed_value(version, "labels", [])
    return version


async def _next_number(session: AsyncSession, prompt_id: UUID) -> int:
    number = await session.scalar(
        update(Prompt)
        .where(Prompt.id == prompt_id)
        .values(last_version_number=Prompt.last_version_number + 1)
        .returning(Prompt.last_version_number)
        .execution_options(synchronize_session=False)
    )
    if number is None:
        raise PromptNotFound
    return number


async def get_version(session: AsyncSession, actor: Actor, version_id: UUID) -> PromptVersion:
    """A version with its labels.

    Raises:
        VersionNotFound
    """
    version = await session.scalar(_versions(actor).where(PromptVersion.id == version_id))
    if version is None:
        raise VersionNotFound("There is no prompt version with this id.")
    return version


async def find_version(
    session: AsyncSession, actor: Actor, prompt_id: UUID, reference: str
) -> PromptVersion:
    """The version of a prompt that a number or a label names.

    Raises:
        PromptNotFound, VersionNotFound
    """
    query = _versions(actor).where(PromptVersion.prompt_id == prompt_id)
    if reference.isdecimal():
        query = query.where(PromptVersion.version_number == int(reference))
    else:
        query = query.join(PromptLabel, PromptLabel.version_id == PromptVersion.id)
        query = query.where(PromptLabel.label == reference)
    version = await session.scalar(query)
    if version is None:
        await _require_prompt(session, actor, prompt_id)
        raise VersionNotFound(f'The prompt has no version or label "{reference}".')
    return version


async def delete_version(session: AsyncSession, actor: Actor, version_id: UUID) -> None:
    """Delete a version that nothing builds on; its number is not given again.

    A labelled version is what applications read, and one with runs is what their results
    are about, so both are refused.

    Raises:
        VersionNotFound, VersionInUse, RoleTooLow
    """
    missing = VersionNotFound("There is no prompt version with this id.")
    project = project_of_version(version_id)
    project_id = await authorize(session, actor, Role.editor, project, missing)
    query = select(PromptVersion.id).where(PromptVersion.id == version_id).with_for_update()
    if await session.scalar(query) is None:
        raise missing
    # Nothing can come to refer to a row that is locked for update, so what is true here stays so.
    version = await get_version(session, actor, version_id)
    if version.labels:
        raise VersionInUse(
            f"The version is labelled {', '.join(version.labels)}; move or delete the label first."
        )
    if await session.scalar(select(EvalRun.id).filter_by(prompt_version_id=version_id).limit(1)):
        raise VersionInUse("The version has runs, whose results are about it; delete them first.")
    await session.execute(delete(PromptVersion).where(PromptVersion.id == version_id))
    _record(session, actor, "prompt_version.deleted", version, project_id)


async def put_label(
    session: AsyncSession, actor: Actor, prompt_id: UUID, label: str, version_number: int
) -> PromptVersion:
    """Put a label on a version; it leaves the one that had it. Gives the version.

    Raises:
        PromptNotFound, VersionNotFound, RoleTooLow
        GateNotMet: the label is protected, and the version is not good enough.
    """
    project_id = await authorize_prompt(session, actor, prompt_id)
    await hold_prompt(session, prompt_id)
    gate = await hold_gate(session, prompt_id, label)
    version_id = await session.scalar(
        select(PromptVersion.id)
        .filter_by(prompt_id=prompt_id, version_number=version_number)
        .with_for_update(read=True, key_share=True)
    )
    if version_id is None:
        raise VersionNotFound(f"The prompt has no version {version_number}.")
    run_id = None if gate is None else await _pass_gate(session, gate, version_id)
    new = insert(PromptLabel).values(prompt_id=prompt_id, label=label, version_id=version_id)
    await session.execute(
        new.on_conflict_do_update(
            index_elements=[PromptLabel.prompt_id, PromptLabel.label],
            set_={"version_id": new.excluded.version_id, "updated_at": func.clock_timestamp()},
        )
    )
    version = await get_version(session, actor, version_id)
    details = {"label": label} if run_id is None else {"label": label, "run_id": str(run_id)}
    _record(session, actor, "prompt_label.put", version, project_id, **details)
    return version


async def _pass_gate(session: AsyncSession, gate: LabelGate, version_id: UUID) -> UUID | None:
    """The run by which a version may have a protected label; none where it has it already."""
    version = await session.get_one(PromptVersion, version_id)
    holder = await session.scalar(
        select(PromptVersion)
        .join(PromptLabel, PromptLabel.version_id == PromptVersion.id)
        .where(PromptLabel.prompt_id == gate.prompt_id, PromptLabel.label == gate.label)
    )
    if holder is version:
        return None
    return await require_gate_met(session, gate, version, holder)


async def delete_label(session: AsyncSession, actor: Actor, prompt_id: UUID, label: str) -> None:
    """Take a label away; the version stays. A protected one takes an admin of the project.

    Raises:
        PromptNotFound, LabelNotFound, RoleTooLow
    """
    project_id = await authorize_prompt(session, actor, prompt_id)
    await hold_prompt(session, prompt_id)
    if await hold_gate(session, prompt_id, label) is not None:
        project = project_of_prompt(prompt_id)
        await authorize(session, actor, Role.admin, project, PromptNotFound())
    statement = delete(PromptLabel).filter_by(prompt_id=prompt_id, label=label)
    version_id = await session.scalar(statement.returning(PromptLabel.version_id))
    if version_id is None:
        raise LabelNotFound(f'The prompt has no label "{label}".')
    version = await get_version(session, actor, version_id)
    _record(session, actor, "prompt_label.deleted", version, project_id, label=label)


async def render_version(
    session: AsyncSession, actor: Actor, version_id: UUID, variables: Mapping[str, Any]
) -> list[Message]:
    """The messages of a version exactly as a model gets them.

    Raises:
        VersionNotFound
        VariablesFault: a variable is missing, or does not fit the version's schema.
        TemplateFault: the template cannot be filled in with these.
    """
    return fill_in(await get_version(session, actor, version_id), variables)


def fill_in(version: PromptVersion, variables: Mapping[str, Any]) -> list[Message]:
    """The messages of a version with the variables filled in.

    Raises:
        VariablesFault: a variable is missing, or does not fit the version's schema.
        TemplateFault: the template cannot be filled in with these.
    """
    renderer = PromptRenderer(version.type, version.template_text, version.template_messages)
    require_fitting(renderer, version.variables_schema, variables)
    try:
        return renderer.render(variables)
    except TemplateFault as fault:
        place = FieldFault("body.variables", fault.detail)
        raise TemplateFault(fault.detail, errors=[place]) from None


async def _require_prompt(session: AsyncSession, actor: Actor, prompt_id: UUID) -> None:
    query = select(Prompt.id).where(Prompt.id == prompt_id, in_prompts(actor, Prompt.id))
    if await session.scalar(query) is None:
        raise PromptNotFound


def _record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    version: PromptVersion,
    project_id: UUID,
    **details: object,
) -> None:
    details = {
        "prompt_id": str(version.prompt_id),
        "version_number": version.version_number,
        **details,
    }
    record(session, actor, Change(Topic.prompts, action, version.id, project_id, details))
