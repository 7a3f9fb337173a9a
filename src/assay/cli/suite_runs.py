"""The runs of an evaluation file: kept in the database, so that they can be resumed.

Each file is a use case of one project. Its tests are a dataset there, made anew only when they
change, and its prompts get a new version only when their text changes.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.library import (
    find_use_case,
    hold_library,
    keep_dataset,
    keep_use_case,
    keep_version,
)
from assay.core.database import Database
from assay.core.errors import AssayError, FieldFault, Invalid, NotFound
from assay.gateway.service import Gateway
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.datasets.items.schemas import ItemCreate
from assay.playground.datasets.schemas import DatasetCreate
from assay.playground.projects.models import UseCase
from assay.playground.projects.schemas import ProjectCreate, UseCaseCreate
from assay.playground.promptfoo.items import items_of
from assay.playground.promptfoo.service import run_options
from assay.playground.promptfoo.suite import Suite, SuiteFault
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.runs.judges import check_judges
from assay.playground.runs.models import EvalRun, RunStatus
from assay.playground.runs.resuming import resume_run
from assay.playground.runs.schemas import EvalRunCreate
from assay.playground.runs.starting import create_run
from assay.wiring import RequestedPeople

PROJECT = ProjectCreate(
    name="Evaluations from files", description="Made by assay eval: a use case for each file."
)
LAST = "last"
_MAX_NAME = 255


async def start_runs(
    database: Database,
    gateway: Gateway,
    file: Path,
    suite: Suite,
    *,
    name: str | None,
    concurrency: int | None,
) -> list[UUID]:
    """Start a run for each prompt of the file, all or none, and give their ids.

    Args:
        database: where to keep everything.
        gateway: to see whether the models can be asked.
        file: where the suite was read from.
        suite: what was read.
        name: of the runs; made of the file's name and the time where there is none.
        concurrency: cells in flight at most, divided among the runs, each of which gets one
            at least.

    Raises:
        SuiteFault: a model cannot be asked, or a test cannot be kept.
    """
    _check_providers(gateway, file, suite)
    items = items_of(suite.tests, str(file))
    name = name or f"{file.name} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
    shares = _shares(concurrency or suite.max_concurrency, len(suite.prompts))
    async with database.session() as session:
        await hold_library(session)
        use_case = await keep_use_case(
            session,
            PROJECT,
            UseCaseCreate(name=use_case_name(file), description=suite.description),
        )
        dataset = await keep_dataset(session, use_case, _dataset(items), items)
        people = RequestedPeople()
        runs = []
        for prompt, share in zip(suite.prompts, shares, strict=True):
            version = await keep_version(session, use_case, prompt.name, prompt.version)
            new = EvalRunCreate(
                prompt_version_id=version.id,
                dataset_id=dataset.id,
                name=_storable(name),
                **{**run_options(suite), "concurrency": share},
            )
            runs.append(await create_run(session, LOCAL_ACTOR, gateway, people, new))
    return [run.id for run in runs]


def use_case_name(file: Path) -> str:
    """What a file's use case is called: its path from here, or whole where it is elsewhere."""
    path = file.resolve()
    name = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return _storable(name, keep_end=True)


def _storable(name: str, *, keep_end: bool = False) -> str:
    # What the shell gives need not be UTF-8.
    clean = name.encode("utf-8", "replace").decode()
    return clean[-_MAX_NAME:] if keep_end else clean[:_MAX_NAME]


def _check_providers(gateway: Gateway, file: Path, suite: Suite) -> None:
    faults = []
    for provider in suite.providers:
        try:
            gateway.check(provider.model)
        except AssayError as error:
            faults.append(FieldFault(provider.place, str(error)))
    if faults:
        raise SuiteFault(f"{file} names models that cannot be asked", errors=faults)


def _dataset(items: Sequence[ItemCreate]) -> DatasetCreate:
    content = [item.model_dump(by_alias=True) for item in items]
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return DatasetCreate(name=f"tests {digest[:10]}", description="Named after its content.")


def _shares(concurrency: int | None, runs: int) -> list[int | None]:
    if concurrency is None:
        return [None] * runs
    each, extra = divmod(concurrency, runs)
    return [max(1, each + (place < extra)) for place in range(runs)]


async def resume_runs(database: Database, gateway: Gateway, file: Path, which: str) -> list[UUID]:
    """Go on with runs of a file, and give their ids; complete ones are left as they are.

    Args:
        database: where they are kept.
        gateway: to see whether their models can be asked.
        file: the file they were started from.
        which: ids divided by commas, or `last` for those that were started last, together.

    Raises:
        NotFound: the file has no such run.
        Invalid: something in `which` is no id, or a model cannot be asked.
    """
    async with database.session() as session:
        use_case = await find_use_case(session, PROJECT.name, use_case_name(file))
        if use_case is None:
            raise NotFound(f"There is no evaluation of {use_case_name(file)} to resume.")
        if which == LAST:
            runs = await _last_runs(session, use_case)
        else:
            runs = [await _run(session, use_case, part) for part in which.split(",")]
        _check_models(gateway, runs)
        for run in runs:
            if run.status in (RunStatus.canceled, RunStatus.failed):
                await check_judges(session, gateway, run.dataset_id, run.assertions, run.judge)
                await resume_run(session, LOCAL_ACTOR, gateway, run.id)
    return [run.id for run in runs]


async def _last_runs(session: AsyncSession, use_case: UseCase) -> list[EvalRun]:
    """The runs that were started last: of one name and dataset, one for each prompt."""
    rows = (
        await session.execute(
            select(EvalRun, Prompt.id)
            .join(PromptVersion, PromptVersion.id == EvalRun.prompt_version_id)
            .join(Prompt, Prompt.id == PromptVersion.prompt_id)
            .where(Prompt.use_case_id == use_case.id)
            .order_by(EvalRun.id.desc())
        )
    ).all()
    if not rows:
        raise NotFound(f"There is no evaluation of {use_case.name} to resume.")
    newest = rows[0][0]
    runs: dict[UUID, EvalRun] = {}
    for run, prompt_id in rows:
        if (run.name, run.dataset_id) == (newest.name, newest.dataset_id):
            runs.setdefault(prompt_id, run)
    return sorted(runs.values(), key=lambda run: run.id)


async def _run(session: AsyncSession, use_case: UseCase, text: str) -> EvalRun:
    try:
        run_id = UUID(text.strip())
    except ValueError:
        raise Invalid(f'--resume takes ids of runs, or {LAST}; "{text}" is neither.') from None
    run = await session.scalar(
        select(EvalRun)
        .join(PromptVersion, PromptVersion.id == EvalRun.prompt_version_id)
        .join(Prompt, Prompt.id == PromptVersion.prompt_id)
        .where(EvalRun.id == run_id, Prompt.use_case_id == use_case.id)
    )
    if run is None:
        raise NotFound(f"{use_case.name} has no run {run_id}.")
    return run


def _check_models(gateway: Gateway, runs: Sequence[EvalRun]) -> None:
    """A model that cannot be asked now would end every open cell in an error."""
    faults: dict[FieldFault, None] = {}
    for run in runs:
        for entry in run.models:
            try:
                gateway.check(entry["model"])
            except AssayError as error:
                faults[FieldFault(entry["model"], str(error))] = None
    if faults:
        raise Invalid("The runs have models that cannot be asked now", errors=list(faults))
