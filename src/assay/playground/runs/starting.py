"""How a run is started: everything it stands on is checked first."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import cast
from sqlalchemy.types import Text

from assay.core.errors import AssayError, FieldFault, Invalid, NotFound
from assay.core.idempotency import Once
from assay.gateway.service import Gateway
from assay.identity.actor import Actor, Role
from assay.playground.access import authorize, project_of_dataset, project_of_version
from assay.playground.datasets.items.history import present
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.prompts.models import PromptVersion
from assay.playground.prompts.rendering import PromptRenderer
from assay.playground.runs.estimate import Parts, estimate
from assay.playground.runs.idempotency import find_earlier, mark
from assay.playground.runs.item_schema import require_items_fit
from assay.playground.runs.judges import check_judges
from assay.playground.runs.models import EvalRun
from assay.playground.runs.people import People
from assay.playground.runs.resuming import require_prices
from assay.playground.runs.schemas import Estimate, EvalRunCreate, ModelEntry
from assay.playground.runs.service import enqueue_plan, record_run
from assay.playground.runs.specification import model_id
from assay.playground.runs.waiting.checking import check_people

FAULTS_SHOWN = 5


async def create_run(
    session: AsyncSession,
    actor: Actor,
    gateway: Gateway,
    people: People,
    data: EvalRunCreate,
    once: Once | None = None,
) -> EvalRun:
    """Check everything a run stands on, then write it and the job that plans it.

    Where `once` has made a run already, that is the one.

    Raises:
        NotFound: no such prompt version or dataset.
        RoleTooLow: the actor may not start runs in their project.
        Invalid: a model, judge or person that cannot be asked, a dataset without items, items
            without a variable of the prompt or that do not fit its schema, a prompt and a dataset
            of different projects, or a budget for models without a known price.
        IdempotencyKeyReused: the caller's key was used for another request.
    """
    project_id = await _project(session, actor, data)
    earlier = await find_earlier(session, actor, once)
    if earlier is not None:
        return earlier
    parts = await _parts(session, gateway, data)
    if data.max_cost is not None:
        await require_prices(gateway, [entry.model for entry in data.models])
    judge = data.judge.as_column() if data.judge else None
    priced = data.max_cost is not None
    await check_judges(session, gateway, parts.dataset.id, data.assertions, judge, priced=priced)
    await check_people(session, people, actor, parts.dataset, project_id, data.assertions)
    estimated = await estimate(session, gateway, parts, data)
    models = [entry.model_dump(exclude_none=True) for entry in data.models]
    run = EvalRun(
        project_id=project_id,
        prompt_version_id=parts.version.id,
        dataset_id=parts.dataset.id,
        dataset_version=parts.dataset.version,
        dataset_assertions=parts.dataset.default_assertions,
        name=data.name,
        models=models,
        assertions=[a.model_dump(by_alias=True, exclude_unset=True) for a in data.assertions],
        derived_metrics=[metric.model_dump() for metric in data.derived_metrics] or None,
        judge=judge,
        concurrency=data.concurrency,
        cache=data.cache,
        max_cost=data.max_cost,
        repeat=data.repeat,
        pass_when=data.pass_when,
        threshold=data.threshold,
        estimated_cost=estimated.cost,
        total=estimated.cells,
        created_by=actor.user_id,
    )
    await begin_run(session, actor, run, once)
    return run


async def begin_run(session: AsyncSession, actor: Actor, run: EvalRun, once: Once | None) -> None:
    """Store a new run with the job that plans it; `once` is the request that it answers."""
    mark(run, once)
    session.add(run)
    await session.flush()
    await enqueue_plan(session, actor, run)
    record_run(session, actor, "run.created", run)


async def estimate_run(
    session: AsyncSession, actor: Actor, gateway: Gateway, data: EvalRunCreate
) -> Estimate:
    """What a run would take; nothing is started.

    Raises:
        NotFound, RoleTooLow, Invalid: as `create_run`, but for the budget.
    """
    await _project(session, actor, data)
    return await estimate(session, gateway, await _parts(session, gateway, data), data)


async def _parts(session: AsyncSession, gateway: Gateway, data: EvalRunCreate) -> Parts:
    """What the run stands on, looked through."""
    version = await session.get_one(PromptVersion, data.prompt_version_id)
    # Held, so that what is looked through now is the version that the run is about.
    dataset = await session.get_one(Dataset, data.dataset_id, with_for_update={"read": True})
    _check_models(gateway, data.models)
    return Parts(version, dataset, await _check_items(session, dataset, version))


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
    mine = present(dataset.id)
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
    await require_items_fit(session, mine, version)
    return items
