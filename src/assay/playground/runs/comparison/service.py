"""Runs held against each other: which are comparable, in which models, and what it shows."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid
from assay.core.pagination import Page
from assay.grading.bootstrap import PairedDifference, paired_difference
from assay.grading.comparison import holm, mcnemar_p_value, paired_interval
from assay.grading.statistics import wilson_interval
from assay.identity.actor import Actor
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.runs.comparison.measuring import Figures, Measured, measure
from assay.playground.runs.comparison.pairing import (
    Side,
    graded_alike,
    model_names,
    paired,
    pairs_of,
)
from assay.playground.runs.comparison.schemas import (
    Change,
    ChangedItem,
    ChangedItems,
    ComparedRun,
    ComparedSide,
    Comparison,
    Latency,
    PassDifference,
    RunComparison,
    ScoreDifference,
    Spent,
)
from assay.playground.runs.comparison.verdict import judge
from assay.playground.runs.models import EvalRun
from assay.playground.runs.service import RunNotFound, get_run

MOST_RUNS = 10
MOST_COMPARISONS = 50


class NotComparable(Invalid):
    """These runs cannot be compared."""

    code = "not_comparable"


async def compare_runs(
    session: AsyncSession,
    actor: Actor,
    run_ids: Sequence[UUID],
    models: Sequence[str] = (),
    *,
    shown: int = 20,
) -> RunComparison:
    """Hold runs against the first of them, paired on items.

    Args:
        session: the session.
        actor: who asks.
        run_ids: the first run, and 1 to 9 others on the same dataset.
        models: which to compare, each a name that both runs have, or `first=other`; without any,
            those that both have, or the only one of each.
        shown: how many of the items that got better, and worse, to name.

    Raises:
        RunNotFound: one of them is not there.
        NotComparable: they are of different datasets, or no models can be paired.
    """
    runs = await _comparable(session, actor, run_ids)
    sides = _sides(runs, models)
    measured = [await measure(session, before, after, shown) for before, after in sides]
    scores = [await asyncio.to_thread(_score, each) for each in measured]
    p_values = [mcnemar_p_value(each.pairs) for each in measured]
    corrected = holm(p_values)
    of_scores = iter(holm([score.p_value for score in scores if score]))
    return RunComparison(
        runs=await _described(session, runs),
        graded_alike=all(graded_alike(runs[0], run) for run in runs[1:]),
        comparisons=[
            _comparison(
                pair,
                each,
                PassDifference(
                    difference=each.pairs.difference,
                    interval=paired_interval(each.pairs) if each.pairs.total else None,
                    p_value=p_value,
                    p_adjusted=p_adjusted,
                ),
                score,
                None if score is None else replace(score, p_value=next(of_scores)),
                len(sides),
            )
            for pair, each, p_value, p_adjusted, score in zip(
                sides, measured, p_values, corrected, scores, strict=True
            )
        ],
    )


async def list_changed_items(
    session: AsyncSession,
    actor: Actor,
    run_ids: Sequence[UUID],
    models: Sequence[str],
    change: Change,
    page: Page,
) -> Sequence[ChangedItem]:
    """A page of the items that got better, or worse, from the first run to the second.

    Raises:
        RunNotFound: one of them is not there.
        NotComparable: they are of different datasets, or there is not one pair of models.
    """
    sides = _sides(await _comparable(session, actor, run_ids), models)
    if len(sides) != 1:
        fault = FieldFault("query.model", f"name one pair; there are {len(sides)}")
        raise NotComparable("The runs have more than one model in common.", errors=[fault])
    pair = pairs_of(*sides[0]).cte("pair")
    came, went = pair.c.after, pair.c.before
    if change is Change.worse:
        came, went = went, came
    query = select(pair.c.item_id, pair.c.score_before, pair.c.score_after)
    query = query.where(and_(paired(pair), came, ~went))
    rows = await page.fetch(session, query, pair.c.item_id, descending=False)
    return [
        ChangedItem(item_id=item_id, score_before=before, score_after=after)
        for item_id, before, after in rows
    ]


async def _comparable(
    session: AsyncSession, actor: Actor, run_ids: Sequence[UUID]
) -> list[EvalRun]:
    if len(set(run_ids)) != len(run_ids) or not 2 <= len(run_ids) <= MOST_RUNS:
        fault = FieldFault("query.ids", f"2 to {MOST_RUNS} different runs, with commas between")
        raise NotComparable(errors=[fault])
    runs = []
    for run_id in run_ids:
        try:
            runs.append(await get_run(session, actor, run_id))
        except RunNotFound:
            raise RunNotFound(f"There is no run {run_id}.") from None
    faults = [
        FieldFault(f"query.ids[{place}]", f"run {run.id} is on another dataset than the first")
        for place, run in enumerate(runs)
        if run.dataset_id != runs[0].dataset_id
    ]
    if faults:
        raise NotComparable(
            "Runs of different datasets have no items in common to compare them on.", errors=faults
        )
    return runs


def _sides(runs: Sequence[EvalRun], models: Sequence[str]) -> list[tuple[Side, Side]]:
    first, sides = runs[0], []
    faults: list[FieldFault] = []
    for run in runs[1:]:
        found = _named(first, run, models, faults) if models else _common(first, run, faults)
        sides += [(Side(first, one), Side(run, other)) for one, other in found]
    if not faults and len(sides) > MOST_COMPARISONS:
        more = f"{len(sides)} pairs of models are more than {MOST_COMPARISONS}: choose some"
        faults.append(FieldFault("query.model", more))
    if faults:
        raise NotComparable(f"No models can be paired: {faults[0].message}", errors=faults)
    return sides


def _common(first: EvalRun, run: EvalRun, faults: list[FieldFault]) -> list[tuple[str, str]]:
    mine, others = model_names(first), model_names(run)
    common = [(name, name) for name in mine if name in others]
    if common:
        return common
    if len(mine) == len(others) == 1:
        return [(mine[0], others[0])]
    message = (
        f"run {run.id} ({', '.join(others)}) and the first ({', '.join(mine)}) have no model in "
        f"common; pair two with model={mine[0]}={others[0]}"
    )
    faults.append(FieldFault("query.model", message))
    return []


def _named(
    first: EvalRun, run: EvalRun, models: Sequence[str], faults: list[FieldFault]
) -> list[tuple[str, str]]:
    mine, others = model_names(first), model_names(run)
    found = []
    for place, wanted in enumerate(dict.fromkeys(models)):
        if wanted in mine and wanted in others:
            found.append((wanted, wanted))
            continue
        # Names may have an equals sign in them.
        cuts = [(wanted[:at], wanted[at + 1 :]) for at, sign in enumerate(wanted) if sign == "="]
        pair = next(((one, two) for one, two in cuts if one in mine and two in others), None)
        if pair is None:
            message = (
                f"`{wanted}` is not in both runs; the first has {', '.join(mine)}, and run "
                f"{run.id} has {', '.join(others)}; write first=other to pair two of them"
            )
            faults.append(FieldFault(f"query.model[{place}]", message))
        else:
            found.append(pair)
    return found


async def _described(session: AsyncSession, runs: Sequence[EvalRun]) -> list[ComparedRun]:
    query = (
        select(PromptVersion.id, PromptVersion.version_number, Prompt.name)
        .join(Prompt, Prompt.id == PromptVersion.prompt_id)
        .where(PromptVersion.id.in_({run.prompt_version_id for run in runs}))
    )
    prompts = {row.id: row for row in (await session.execute(query)).all()}
    return [
        ComparedRun(
            id=run.id,
            name=run.name,
            status=run.status,
            prompt_version_id=run.prompt_version_id,
            prompt=prompts[run.prompt_version_id].name,
            version_number=prompts[run.prompt_version_id].version_number,
            dataset_id=run.dataset_id,
            dataset_version=run.dataset_version,
            models=model_names(run),
        )
        for run in runs
    ]


def _score(measured: Measured) -> PairedDifference | None:
    if measured.pairs.total < 2:
        return None
    return paired_difference(measured.scores_before, measured.scores_after)


def _comparison(
    sides: tuple[Side, Side],
    measured: Measured,
    passes: PassDifference,
    score: PairedDifference | None,
    corrected: PairedDifference | None,
    comparisons: int,
) -> Comparison:
    pairs = measured.pairs
    verdict = judge(pairs, passes.p_adjusted, corrected, comparisons)
    before, after = sides
    return Comparison(
        run_id=after.run.id,
        before=_side(before, pairs.both + pairs.lost, measured.before, measured.scores_before),
        after=_side(after, pairs.both + pairs.won, measured.after, measured.scores_after),
        pairs=pairs.total,
        only_before=measured.only_before,
        only_after=measured.only_after,
        changed=measured.changed,
        pass_rate=passes,
        score=None
        if score is None or corrected is None
        else ScoreDifference(
            difference=score.difference,
            interval=(score.low, score.high),
            p_value=score.p_value,
            p_adjusted=corrected.p_value,
        ),
        better=ChangedItems(count=pairs.won, item_ids=list(measured.better)),
        worse=ChangedItems(count=pairs.lost, item_ids=list(measured.worse)),
        verdict=verdict.outcome,
        smallest_difference=verdict.smallest_difference,
        text=verdict.text,
    )


def _side(side: Side, passed: int, figures: Figures, scores: Sequence[float]) -> ComparedSide:
    total = len(scores)
    return ComparedSide(
        model=side.model,
        passed=passed,
        pass_rate=passed / total if total else None,
        pass_rate_interval=wilson_interval(passed, total) if total else None,
        mean_score=sum(scores) / total if total else None,
        cost=Spent(
            total=figures.cost,
            mean=figures.cost / figures.priced if figures.cost is not None else None,
            items=figures.priced,
        ),
        latency_ms=Latency(
            total=figures.latency,
            mean=figures.latency_mean,
            median=figures.latency_median,
            items=figures.measured,
        ),
    )
