"""A run that grades the stored answers of another one, beside it, to be compared with it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.idempotency import Once
from assay.gateway.service import Gateway
from assay.identity.actor import Actor
from assay.playground.datasets.models import Dataset
from assay.playground.runs.idempotency import find_earlier
from assay.playground.runs.judges import check_judges
from assay.playground.runs.models import EvalRun
from assay.playground.runs.people import People
from assay.playground.runs.schemas import EvalRunRescore
from assay.playground.runs.service import RunStillActive, get_own_run
from assay.playground.runs.starting import begin_run
from assay.playground.runs.waiting.checking import check_people


async def rescore_run(
    session: AsyncSession,
    actor: Actor,
    gateway: Gateway,
    people: People,
    run_id: UUID,
    data: EvalRunRescore,
    once: Once | None = None,
) -> EvalRun:
    """Start a run that takes the answers of an ended one, and grades them anew.

    Raises:
        RunNotFound: there is none.
        RunStillActive: it is going on.
        Invalid: a judge or a person of an assertion cannot be asked.
        IdempotencyKeyReused: the caller's key was used for another request.
        RoleTooLow
    """
    source = await get_own_run(session, actor, run_id)
    earlier = await find_earlier(session, actor, once)
    if earlier is not None:
        return earlier
    if source.status.is_active:
        raise RunStillActive("The run is still going on; wait for its end, or cancel it first.")
    assertions = source.assertions
    if data.assertions is not None:
        assertions = [a.model_dump(by_alias=True, exclude_unset=True) for a in data.assertions]
    judge = data.judge.as_column() if data.judge else source.judge
    held = {"read": True}
    dataset = await session.get_one(Dataset, source.dataset_id, with_for_update=held)
    await check_judges(session, gateway, source.dataset_id, assertions, judge)
    await check_people(session, people, actor, dataset, source.project_id, assertions)
    run = EvalRun(
        rescored_from_id=source.id,
        project_id=source.project_id,
        prompt_version_id=source.prompt_version_id,
        dataset_id=source.dataset_id,
        dataset_version=source.dataset_version,
        dataset_assertions=dataset.default_assertions,
        name=data.name or source.name,
        models=source.models,
        assertions=assertions,
        derived_metrics=source.derived_metrics,
        judge=judge,
        concurrency=source.concurrency,
        cache=source.cache,  # of judgements; models are not asked
        estimated_cost=0.0,
        repeat=source.repeat,
        pass_when=source.pass_when,
        threshold=source.threshold,
        total=source.total,
        created_by=actor.user_id,
    )
    await begin_run(session, actor, run, once)
    return run
