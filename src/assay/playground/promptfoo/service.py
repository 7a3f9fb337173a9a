"""Make a use case of a promptfoo configuration: its prompts, a dataset, and runs to be started."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay.gateway.cache import CacheMode
from assay.identity.actor import Actor
from assay.playground.datasets.items.schemas import ItemBatch, ItemCreate
from assay.playground.datasets.items.service import create_items
from assay.playground.datasets.schemas import DatasetCreate
from assay.playground.datasets.service import create_dataset
from assay.playground.projects.schemas import UseCaseCreate
from assay.playground.projects.service import create_use_case
from assay.playground.promptfoo.document import parse_json, parse_yaml
from assay.playground.promptfoo.files import GivenFiles
from assay.playground.promptfoo.items import items_of
from assay.playground.promptfoo.reader import read_configuration
from assay.playground.promptfoo.schemas import (
    ImportedPrompt,
    LeftOut,
    PromptfooImport,
    PromptfooImported,
)
from assay.playground.promptfoo.suite import Suite, SuiteFault, SuitePrompt
from assay.playground.prompts.schemas import PromptCreate
from assay.playground.prompts.service import create_prompt
from assay.playground.prompts.versions.service import create_version
from assay.playground.runs.schemas import EvalRunCreate, ModelEntry

TITLE = "The configuration"
_BATCH = 1000
_MAX_NAME = 255


async def import_configuration(
    session: AsyncSession, actor: Actor, request: PromptfooImport
) -> PromptfooImported:
    """Import a configuration that was sent, with the files that came along.

    Raises:
        SuiteFault: it cannot be read, or nothing of it can be carried over.
        ProjectNotFound, RoleTooLow
    """
    # A large one takes long to read, and others are to be served meanwhile.
    suite = await asyncio.to_thread(_read, request)
    name = request.name or (suite.description or "")[:_MAX_NAME] or "From promptfoo"
    return await import_suite(session, actor, request.project_id, suite, name)


def _read(request: PromptfooImport) -> Suite:
    value: Any = request.configuration
    if isinstance(value, str):
        try:
            value = parse_json(value) if value.lstrip().startswith("{") else parse_yaml(value)
        except ValueError as error:
            raise SuiteFault(f"{TITLE} cannot be read: {error}") from None
    return read_configuration(value, GivenFiles(request.files), title=TITLE, leave_out=True)


async def import_suite(
    session: AsyncSession, actor: Actor, project_id: UUID, suite: Suite, name: str
) -> PromptfooImported:
    """Make a use case called `name` in a project, with all that a configuration holds.

    Raises:
        ProjectNotFound, RoleTooLow
    """
    items = items_of(suite.tests, TITLE)
    new = UseCaseCreate(name=name, description=suite.description)
    use_case = await create_use_case(session, actor, project_id, new)
    dataset = await create_dataset(session, actor, use_case.id, DatasetCreate(name="Tests"))
    await _fill(session, actor, dataset.id, items)
    prompts = [await _make_prompt(session, actor, use_case.id, prompt) for prompt in suite.prompts]
    return PromptfooImported(
        use_case_id=use_case.id,
        dataset_id=dataset.id,
        items=len(items),
        prompts=prompts,
        runs=[
            EvalRunCreate(
                prompt_version_id=prompt.prompt_version_id,
                dataset_id=dataset.id,
                **run_options(suite),
            )
            for prompt in prompts
        ],
        left_out=[LeftOut(place=each.place, reason=each.message) for each in suite.left_out],
        warnings=suite.warnings,
    )


def run_options(suite: Suite) -> dict[str, Any]:
    """What a configuration says about its runs, as fields of `EvalRunCreate`."""
    options: dict[str, Any] = {
        "models": [
            ModelEntry(model=each.model, parameters=each.parameters, label=each.label)
            for each in suite.providers
        ],
        "concurrency": suite.max_concurrency,
        "judge": suite.judge,
        "derived_metrics": suite.derived_metrics,
    }
    if suite.repeat is not None:
        options["repeat"] = suite.repeat
    if suite.cache is False:
        options["cache"] = CacheMode.off
    return options


async def _fill(
    session: AsyncSession, actor: Actor, dataset_id: UUID, items: Sequence[ItemCreate]
) -> None:
    for start in range(0, len(items), _BATCH):
        batch = ItemBatch(items=list(items[start : start + _BATCH]))
        await create_items(session, actor, dataset_id, batch)


async def _make_prompt(
    session: AsyncSession, actor: Actor, use_case_id: UUID, prompt: SuitePrompt
) -> ImportedPrompt:
    made = await create_prompt(session, actor, use_case_id, PromptCreate(name=prompt.name))
    version = await create_version(session, actor, made.id, prompt.version)
    return ImportedPrompt(prompt_id=made.id, prompt_version_id=version.id, name=prompt.name)
