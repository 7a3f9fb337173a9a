"""Items held against the schema of a prompt's variables, before a run is started on them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from jsonschema_rs import Validator
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid
from assay.core.problems import place
from assay.grading.json_schemas import compile_schema, schema_faults
from assay.playground.datasets.models import DatasetItem
from assay.playground.prompts.models import PromptVersion
from assay.playground.prompts.rendering import PromptRenderer

# More items than this would keep the one who starts the run waiting.
MOST_CHECKED = 100_000
FAULTS_SHOWN = 5
_BATCH = 2000


async def require_items_fit(
    session: AsyncSession, items: ColumnElement[bool], version: PromptVersion
) -> None:
    """Make sure that items fit the version's `variables_schema`.

    They are read in batches, in the order of the dataset, up to `MOST_CHECKED` of them.

    Args:
        session: the session.
        items: which items, a condition on `DatasetItem`.
        version: the version, whose required variables are known to be there.

    Raises:
        Invalid: the first faults, with the item and the place in it.
    """
    schema = version.variables_schema
    if schema is None or _only_names(schema, version):
        return
    validator = compile_schema(schema)
    query = (
        select(DatasetItem.id, DatasetItem.input)
        .where(items)
        .order_by(DatasetItem.id)
        .limit(MOST_CHECKED)
        .execution_options(yield_per=_BATCH)
    )
    faults: list[FieldFault] = []
    rows = await session.stream(query)
    async for batch in rows.partitions():
        faults += await asyncio.to_thread(_check, validator, [tuple(row) for row in batch])
        if len(faults) >= FAULTS_SHOWN:
            break
    await rows.close()
    if faults:
        raise Invalid(
            "Items of the dataset do not fit the prompt's variables_schema: "
            f"{faults[0].place}: {faults[0].message}",
            errors=faults[:FAULTS_SHOWN],
        )


def _only_names(schema: Mapping[str, Any], version: PromptVersion) -> bool:
    """Whether a schema asks for nothing but names that the templates cannot do without."""
    if not schema.keys() <= {"type", "properties", "required"} or schema.get("type") != "object":
        return False
    renderer = PromptRenderer(version.type, version.template_text, version.template_messages)
    if not renderer.required.issuperset(schema.get("required", ())):
        return False
    return not any(schema.get("properties", {}).values())


def _check(
    validator: Validator, batch: Sequence[tuple[UUID, Mapping[str, Any]]]
) -> list[FieldFault]:
    return list(islice(_faults(validator, batch), FAULTS_SHOWN))


def _faults(
    validator: Validator, batch: Sequence[tuple[UUID, Mapping[str, Any]]]
) -> Iterator[FieldFault]:
    for item_id, variables in batch:
        if not validator.is_valid(variables):
            for at, message in schema_faults(validator, variables):
                yield FieldFault(f"item {item_id}", f"{place(('input', *at))}: {message}")
