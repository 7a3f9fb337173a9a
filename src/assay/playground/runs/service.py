"""Rules and queries of runs and results."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import cast
from sqlalchemy.types import Text

from assay.core.errors import AssayError, Conflict, FieldFault, Invalid, NotFound
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.gateway.service import Gateway
from assay.identity.actor import Actor, Role
from assay.identity.audit.service import Change, record
from assay.jobs.service import NewJob, cancel_jobs, enqueue
from assay.playground.access import (
    authorize,
    in_projects,
    project_of_dataset,
    project_of_version,
)
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.prompts.models import PromptVersion
from assay.playground.prompts.rendering import PromptRenderer
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus
from assay.playground.runs.schemas import EvalRunCreate, ModelEntry
from assay.playground.runs.shards import end_run, release_shards
from assay.playground.runs.specification import model_id
from assay.playground.runs.summary import summarize
from assay.playground.runs.tasks import PLAN_JOB

FAULTS_SHOWN = 5


class RunNotFound(NotFound):
    """There is no run with this id."""


class RunNotActive(Conflict):
    """The run has already ended."""


class RunNotResumable(Conflict):
    """Only a run that was canceled or has failed can be resumed."""


class RunStillActive(Conflict):
    """The run is still going on; cancel it first."""


async def create_run(
    session: AsyncSession, actor: Actor, gateway: Gateway, data: EvalRunCreate
) -> EvalRun:
    """Check everything a run stands on, then write it and the job that plans it.

    Raises:
        NotFound: no such prompt version or dataset.
        RoleTooLow: the actor may not start runs in their project.
        Invalid: a model that cannot be asked, a dataset without items, items without a
            variable of the prompt, or a prompt and a dataset of different projects.
    """
    project_id = await _project(session, actor, data)
    version = await session.get_one(PromptVersion, data.prompt_version_id)
    dataset = await session.get_one(Dataset, data.dataset_id)
    _check_models(gateway, data.models)
    models = [entry.model_dump(exclude_none=True) for entry in data.models]
    items = await _check_items(session, dataset, version)
    run = EvalRun(
        project_id=project_id,
        prompt_version_id=version.id,
        dataset_id=dataset.id,
        dataset_version=dataset.version,
        name=data.name,
        models=models,
        assertions=[a.model_dump(by_alias=True, exclude_unset=True) for a in data.assertions],
        concurrency=data.concurrency,
        total=items * len(models),
        created_by=actor.user_id,
    )
    session.add(run)
    await session.flush()
    await _enqueue_plan(session, actor, run)
    _record(session, actor, "run.created", run)
    return run


async def _project(session: AsyncSession, actor: Actor, data: EvalRunCreate) -> UUID:
    """The project of the prompt and of the dataset, in which the actor may start runs."""
    missing = NotFound("There is no prompt version with the id in prompt_version_id.")
    version_of = project_of_version(data.prompt_version_id)
    project_id = await authorize(session, actor, Role.editor, version_of, missing)
    missing = NotFound("There is no dataset with the id in dataset_id.")
    dataset_of = project_of_dataset(data.dataset_id)
    if await authorize(session, actor, Role.editor, dataset_of, missing) != project_id:
        raise Invalid(
            "The prompt and the dataset are in different projects, so nobody could say who may "
            "see the run.",
            errors=[FieldFault("body.dataset_id", "a dataset of the prompt's project")],
        )
    return project_id


async def _enqueue_plan(session: AsyncSession, actor: Actor, run: EvalRun) -> None:
    [job] = await enqueue(session, actor, NewJob(PLAN_JOB, {"eval_run_id": str(run.id)}))
    run.job_id = job.id
    await session.flush()


def _check_models(gateway: Gateway, models: Sequence[ModelEntry]) -> None:
    faults: list[FieldFault] = []
    seen: set[str] = set()
    for place, entry in enumerate(models):
        try:
            gateway.check(entry.model)
        except AssayError as error:
            faults.append(FieldFault(f"body.models[{place}].model", str(error)))
        name = model_id(entry.model_dump())
        if name in seen:
            faults.append(
                FieldFault(
                    f"body.models[{place}].label",
                    f"`{name}` is there already; give this one a label of its own",
                )
            )
        seen.add(name)
    if faults:
        raise Invalid(f"The run cannot use these models: {faults[0].message}", errors=faults)


async def _check_items(session: AsyncSession, dataset: Dataset, version: PromptVersion) -> int:
    """The number of items; each must have the variables that the prompt cannot do without."""
    mine = DatasetItem.dataset_id == dataset.id
    items = await session.scalar(select(func.count()).where(mine)) or 0
    if not items:
        raise Invalid(
            f"The dataset `{dataset.name}` has no items; add some with "
            f"POST /api/v1/datasets/{dataset.id}/items",
            errors=[FieldFault("body.dataset_id", "a dataset with at least one item")],
        )
    renderer = PromptRenderer(version.type, version.template_text, version.template_messages)
    required = sorted(renderer.required)
    lacking = and_(mine, ~DatasetItem.input.bool_op("?&")(cast(required, ARRAY(Text))))
    rows = (
        await session.execute(
            select(DatasetItem.id, DatasetItem.input)
            .where(lacking)
            .order_by(DatasetItem.id)
            .limit(FAULTS_SHOWN)
        )
    ).all()
    if rows:
        count = await session.scalar(select(func.count()).where(lacking))
        raise Invalid(
            f"{count} of {items} items of the dataset lack a variable that the prompt uses",
            errors=[
                FieldFault(
                    f"item {item_id}",
                    f"input has no {', '.join(v for v in required if v not in given)}",
                )
                for item_id, given in rows
            ],
        )
    return items


async def get_run(
    session: AsyncSession, actor: Actor, run_id: UUID, *, lock: bool = False
) -> EvalRun:
    """The run with this id.

    Raises:
        RunNotFound: there is none.
    """
    query = select(EvalRun).where(EvalRun.id == run_id, in_projects(actor, EvalRun.project_id))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    run = await session.scalar(query)
    if run is None:
        raise RunNotFound
    return run


async def list_runs(
    session: AsyncSession,
    actor: Actor,
    page: Page,
    *,
    project_id: UUID | None = None,
    prompt_id: UUID | None = None,
    dataset_id: UUID | None = None,
    status: RunStatus | None = None,
) -> Sequence[EvalRun]:
    """Runs, newest first."""
    statement = select(EvalRun).where(in_projects(actor, EvalRun.project_id))
    if dataset_id is not None:
        statement = statement.where(EvalRun.dataset_id == dataset_id)
    if status is not None:
        statement = statement.where(EvalRun.status == status)
    if prompt_id is not None:
        statement = statement.join(PromptVersion, PromptVersion.id == EvalRun.prompt_version_id)
        statement = statement.where(PromptVersion.prompt_id == prompt_id)
    if project_id is not None:
        statement = statement.where(EvalRun.project_id == project_id)
    return await page.fetch(session, statement, EvalRun.id)


async def cancel_run(session: AsyncSession, actor: Actor, run_id: UUID) -> EvalRun:
    """Stop a run; what is stored stays, and it can be resumed.

    Raises:
        RunNotFound: there is none.
        RunNotActive: it has already ended.
        RoleTooLow
    """
    run = await _get_own_run(session, actor, run_id)
    if not run.status.is_active:
        raise RunNotActive(f"The run has already ended: it is {run.status}.")
    # Everywhere jobs are locked before their run, or two would wait for each other.
    if run.job_id is not None:
        await cancel_jobs(session, actor, parent_id=run.job_id)
    run = await get_run(session, actor, run_id, lock=True)
    if not run.status.is_active:
        raise RunNotActive(f"The run has already ended: it is {run.status}.")
    await end_run(session, run, RunStatus.canceled)
    _record(session, actor, "run.canceled", run)
    return run


async def resume_run(session: AsyncSession, actor: Actor, run_id: UUID) -> EvalRun:
    """Go on with a run that was canceled or has failed; only cells without a result are asked.

    Raises:
        RunNotFound: there is none.
        RunNotResumable: it is going on or is complete.
        RoleTooLow
    """
    await _get_own_run(session, actor, run_id)
    run = await get_run(session, actor, run_id, lock=True)
    if run.status not in (RunStatus.canceled, RunStatus.failed):
        raise RunNotResumable(
            f"Only a run that was canceled or has failed can be resumed; this one is {run.status}."
        )
    run.status = RunStatus.pending
    run.error_message = None
    run.completed_at = None
    run.summary = None
    await release_shards(session, run.id)
    await _enqueue_plan(session, actor, run)
    _record(session, actor, "run.resumed", run)
    return run


async def delete_run(session: AsyncSession, actor: Actor, run_id: UUID) -> None:
    """Delete an ended run with its results.

    Raises:
        RunNotFound: there is none.
        RunStillActive: it is going on.
        RoleTooLow
    """
    await _get_own_run(session, actor, run_id)
    run = await get_run(session, actor, run_id, lock=True)
    if run.status.is_active:
        raise RunStillActive
    await session.delete(run)
    await session.flush()
    _record(session, actor, "run.deleted", run)


async def _get_own_run(session: AsyncSession, actor: Actor, run_id: UUID) -> EvalRun:
    """A run that the actor may change."""
    run = await get_run(session, actor, run_id)
    project = select(EvalRun.project_id).where(EvalRun.id == run_id)
    await authorize(session, actor, Role.editor, project, RunNotFound())
    return run


def _record(session: AsyncSession, actor: Actor, action: str, run: EvalRun) -> None:
    details = {"name": run.name, "status": run.status, "progress": run.progress}
    record(session, actor, Change(Topic.runs, action, run.id, run.project_id, details))


async def list_results(
    session: AsyncSession,
    actor: Actor,
    page: Page,
    run_id: UUID,
    *,
    model: str | None = None,
    passed: bool | None = None,
) -> Sequence[EvalResult]:
    """Results of a run in the order of the dataset's items.

    Raises:
        RunNotFound: there is none.
    """
    await get_run(session, actor, run_id)
    statement = select(EvalResult).where(EvalResult.eval_run_id == run_id)
    if model is not None:
        statement = statement.where(EvalResult.model_id == model)
    if passed is not None:
        statement = statement.where(EvalResult.passed == passed)
    keys = (EvalResult.dataset_item_id, EvalResult.model_id, EvalResult.repetition)
    return await page.fetch(session, statement, *keys, descending=False)


async def get_summary(session: AsyncSession, actor: Actor, run_id: UUID) -> dict[str, Any]:
    """The summary of a run: the stored one, or of what is there so far.

    Raises:
        RunNotFound: there is none.
    """
    run = await get_run(session, actor, run_id)
    return run.summary or await summarize(session, run)
