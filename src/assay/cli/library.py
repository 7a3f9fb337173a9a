"""What commands keep in the database under a name: found again, or made where it changed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from assay.identity.actor import LOCAL_ACTOR
from assay.playground.datasets.items.history import present
from assay.playground.datasets.items.schemas import ItemBatch, ItemCreate
from assay.playground.datasets.items.service import create_items
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.datasets.schemas import DatasetCreate
from assay.playground.datasets.service import create_dataset
from assay.playground.projects.models import Project, UseCase
from assay.playground.projects.schemas import ProjectCreate, UseCaseCreate
from assay.playground.projects.service import create_project, create_use_case
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.prompts.schemas import PromptCreate
from assay.playground.prompts.service import create_prompt
from assay.playground.prompts.versions.schemas import VersionCreate
from assay.playground.prompts.versions.service import create_version

# Any fixed number that only this use of advisory locks has.
_LOCK = 0x6C696272617279
_BATCH = 1000


async def hold_library(session: AsyncSession) -> None:
    """Let commands that look for names and make what is missing take turns, until the commit."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def find_use_case(session: AsyncSession, project: str, name: str) -> UseCase | None:
    """The first use case of this name in the first project of that name."""
    statement = (
        select(UseCase)
        .join(Project, Project.id == UseCase.project_id)
        .where(Project.name == project, UseCase.name == name)
        .order_by(Project.id, UseCase.id)
    )
    return (await session.scalars(statement.limit(1))).one_or_none()


async def keep_use_case(
    session: AsyncSession, project: ProjectCreate, use_case: UseCaseCreate
) -> UseCase:
    """The use case of this name, made where it is missing, as is the project."""
    found = await find_use_case(session, project.name, use_case.name)
    if found is not None:
        return found
    statement = select(Project).where(Project.name == project.name).order_by(Project.id).limit(1)
    home = (await session.scalars(statement)).one_or_none()
    home = home or await create_project(session, LOCAL_ACTOR, project)
    return await create_use_case(session, LOCAL_ACTOR, home.id, use_case)


async def keep_version(
    session: AsyncSession, use_case: UseCase, prompt_name: str, new: VersionCreate
) -> PromptVersion:
    """The newest version of the prompt with this text; a next one where no version has it."""
    statement = (
        select(Prompt)
        .where(Prompt.use_case_id == use_case.id, Prompt.name == prompt_name)
        .order_by(Prompt.id)
        .limit(1)
    )
    prompt = (await session.scalars(statement)).one_or_none()
    if prompt is None:
        prompt = await create_prompt(
            session, LOCAL_ACTOR, use_case.id, PromptCreate(name=prompt_name)
        )
    versions = await session.scalars(
        select(PromptVersion)
        .where(PromptVersion.prompt_id == prompt.id, PromptVersion.type == new.type)
        .order_by(PromptVersion.version_number.desc())
    )
    wanted = (new.template_text, new.messages(), new.model_defaults)
    for version in versions:
        if (version.template_text, version.template_messages, version.model_defaults) == wanted:
            return version
    return await create_version(session, LOCAL_ACTOR, prompt.id, new)


async def keep_dataset(
    session: AsyncSession, use_case: UseCase, new: DatasetCreate, items: Sequence[ItemCreate]
) -> Dataset:
    """The newest dataset of this name with exactly these items; a new one where there is none."""
    named = await session.scalars(
        select(Dataset)
        .where(Dataset.use_case_id == use_case.id, Dataset.name == new.name)
        .order_by(Dataset.id.desc())
    )
    wanted = [_content(item) for item in items]
    for dataset in named:
        if await _stored(session, dataset) == wanted:
            return dataset
    made = await create_dataset(session, LOCAL_ACTOR, use_case.id, new)
    for start in range(0, len(items), _BATCH):
        batch = ItemBatch(items=list(items[start : start + _BATCH]))
        await create_items(session, LOCAL_ACTOR, made.id, batch)
    return made


def _content(item: ItemCreate) -> tuple[Any, ...]:
    fields = item.model_dump(by_alias=True, exclude_unset=True)
    names = ("input", "expected_output", "assertions", "item_metadata")
    return tuple(fields.get(name) for name in names)


async def _stored(session: AsyncSession, dataset: Dataset) -> list[tuple[Any, ...]]:
    rows = await session.execute(
        select(
            DatasetItem.input,
            DatasetItem.expected_output,
            DatasetItem.assertions,
            DatasetItem.item_metadata,
        )
        .where(present(dataset.id))
        .order_by(DatasetItem.id)
    )
    return [tuple(row) for row in rows]
