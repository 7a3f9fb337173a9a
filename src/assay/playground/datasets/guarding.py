"""Datasets that protected labels are held against stay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import Conflict
from assay.playground.prompts.models import LabelGate, Prompt

_CONSTRAINT = "fk_label_gates_dataset_id"


class DatasetGuardsLabel(Conflict):
    """The gate of a protected label is about this dataset; take the gate away first."""

    code = "dataset_guards_label"


async def refuse_guard(session: AsyncSession, dataset_id: UUID) -> None:
    """Refuse to go on where a gate is about a dataset.

    Raises:
        DatasetGuardsLabel: naming the label and its prompt.
    """
    query = (
        select(LabelGate.label, Prompt.name, Prompt.id)
        .join(Prompt, Prompt.id == LabelGate.prompt_id)
        .where(LabelGate.dataset_id == dataset_id)
        .order_by(Prompt.id, LabelGate.label)
    )
    gate = (await session.execute(query.limit(1))).one_or_none()
    if gate is not None:
        label, name, prompt_id = gate
        raise DatasetGuardsLabel(
            f"The label {label} of the prompt {name} is held against this dataset; take its gate "
            f"away first, with DELETE /api/v1/prompts/{prompt_id}/labels/{label}/gate."
        )


@asynccontextmanager
async def keeping_gates() -> AsyncIterator[None]:
    """Around a deletion that takes datasets with it.

    Raises:
        DatasetGuardsLabel: the gate of a label that stays is about one of them.
    """
    try:
        yield
    except IntegrityError as error:
        if _CONSTRAINT in str(error.orig):
            raise DatasetGuardsLabel from None
        raise
