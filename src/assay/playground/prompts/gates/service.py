"""Rules and queries of gates; setting one and taking it away is for admins of the project."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, record
from assay.playground.access import authorize, in_prompts, project_of_dataset, project_of_prompt
from assay.playground.datasets.models import Dataset
from assay.playground.prompts.gates.schemas import GatePut
from assay.playground.prompts.models import LabelGate, Prompt
from assay.playground.prompts.service import PromptNotFound


class GateNotFound(NotFound):
    """The label has no gate."""


async def list_gates(
    session: AsyncSession, actor: Actor, prompt_id: UUID, page: Page
) -> Sequence[LabelGate]:
    """A page of a prompt's gates, by label.

    Raises:
        PromptNotFound
    """
    known = select(Prompt.id).where(Prompt.id == prompt_id, in_prompts(actor, Prompt.id))
    if await session.scalar(known) is None:
        raise PromptNotFound
    query = select(LabelGate).where(LabelGate.prompt_id == prompt_id)
    return await page.fetch(session, query, LabelGate.label, descending=False)


async def put_gate(
    session: AsyncSession, actor: Actor, prompt_id: UUID, label: str, new: GatePut
) -> LabelGate:
    """Protect a label, or change its gate; the version that has it now keeps it.

    Raises:
        PromptNotFound, RoleTooLow
        NotFound: there is no such dataset.
        Invalid: the dataset is in another project.
    """
    project_id = await _authorize(session, actor, prompt_id)
    missing = NotFound("There is no dataset with the id in dataset_id.")
    dataset_of = project_of_dataset(new.dataset_id)
    if await authorize(session, actor, Role.viewer, dataset_of, missing) != project_id:
        fault = FieldFault("body.dataset_id", "a dataset of the prompt's project")
        raise Invalid("The dataset is in another project than the prompt.", errors=[fault])
    await hold_prompt(session, prompt_id)
    dataset = select(Dataset.id).where(Dataset.id == new.dataset_id)
    if await session.scalar(dataset.with_for_update(read=True, key_share=True)) is None:
        raise missing
    statement = insert(LabelGate).values(
        prompt_id=prompt_id, label=label, updated_by=actor.user_id, **new.model_dump()
    )
    changed = ("dataset_id", "min_pass_rate", "updated_by")
    gate: LabelGate | None = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=[LabelGate.prompt_id, LabelGate.label],
            set_={name: statement.excluded[name] for name in changed}
            | {"updated_at": func.clock_timestamp()},
        ).returning(LabelGate),
        execution_options={"populate_existing": True},
    )
    assert gate is not None
    _record(session, actor, "prompt_gate.put", gate, project_id)
    return gate


async def delete_gate(session: AsyncSession, actor: Actor, prompt_id: UUID, label: str) -> None:
    """Take a gate away, so that the label moves freely.

    Raises:
        PromptNotFound, GateNotFound, RoleTooLow
    """
    project_id = await _authorize(session, actor, prompt_id)
    await hold_prompt(session, prompt_id)
    gate = await hold_gate(session, prompt_id, label)
    if gate is None:
        raise GateNotFound(f'The label "{label}" has no gate.')
    await session.execute(delete(LabelGate).filter_by(prompt_id=prompt_id, label=label))
    _record(session, actor, "prompt_gate.deleted", gate, project_id)


async def hold_prompt(session: AsyncSession, prompt_id: UUID) -> None:
    """Keep a prompt from being deleted until the transaction ends.

    Raises:
        PromptNotFound: it was deleted meanwhile.
    """
    query = select(Prompt.id).where(Prompt.id == prompt_id)
    if await session.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise PromptNotFound


async def hold_gate(session: AsyncSession, prompt_id: UUID, label: str) -> LabelGate | None:
    """The gate of a label, if it is protected; nobody else moves the label until the commit."""
    query = select(LabelGate).filter_by(prompt_id=prompt_id, label=label).with_for_update()
    return await session.scalar(query.execution_options(populate_existing=True))


async def _authorize(session: AsyncSession, actor: Actor, prompt_id: UUID) -> UUID:
    project = project_of_prompt(prompt_id)
    return await authorize(session, actor, Role.admin, project, PromptNotFound())


def _record(
    session: AsyncSession, actor: Actor, action: str, gate: LabelGate, project_id: UUID
) -> None:
    details = {
        "label": gate.label,
        "dataset_id": str(gate.dataset_id),
        "min_pass_rate": gate.min_pass_rate,
    }
    record(session, actor, Change(Topic.prompts, action, gate.prompt_id, project_id, details))
