"""Whether a version meets a gate; what is missing is said in full.

A run speaks for a version if it is completed, on the gate's dataset, graded by something, and the
newest with its models: whoever runs a version again until it is lucky has to keep the last result.
The gate is met if one such run reaches the bar with each of its models and, where another version
has the label, is significantly worse with none of them than that version's newest run with the same
models, graded by the same rules.
"""

from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import Conflict, FieldFault
from assay.grading.comparison import mcnemar_p_value
from assay.playground.datasets.models import Dataset
from assay.playground.prompts.models import LabelGate, PromptVersion
from assay.playground.runs.comparison.measuring import count_passed, measure
from assay.playground.runs.comparison.pairing import Side, graded_alike, model_names
from assay.playground.runs.comparison.verdict import ALPHA, told
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus

# Counts are whole, so what misses the bar by less does so by rounding.
_TOLERANCE = 1e-9

Models = frozenset[tuple[str, str]]


class GateNotMet(Conflict):
    """The label is protected, and the version does not meet its gate."""

    code = "gate_not_met"


async def require_gate_met(
    session: AsyncSession,
    gate: LabelGate,
    version: PromptVersion,
    holder: PromptVersion | None,
) -> UUID:
    """Make sure that a version may have a protected label; gives the run that speaks for it.

    Args:
        session: the session.
        gate: what it takes.
        version: the version that is to get the label.
        holder: the version that has it now, if any.

    Raises:
        GateNotMet: its `errors` say what is missing, with the figures.
    """
    dataset = (await session.get_one(Dataset, gate.dataset_id)).name
    faults: list[FieldFault] = []
    good: list[EvalRun] = []
    runs = await _newest_runs(session, version, gate.dataset_id)
    for run in runs.values():
        short = await _below_bar(session, run, gate.min_pass_rate)
        faults += short
        good += [] if short else [run]
    if not runs:
        message = f'version {version.version_number} has no completed run on dataset "{dataset}"'
        faults.append(FieldFault("run", f"{message} ({gate.dataset_id})"))
    if good and holder is None:
        return good[0].id
    if good and holder is not None:
        faults = []
        before = await _newest_runs(session, holder, gate.dataset_id)
        for run in good:
            worse = await _worse_than(session, run, holder, before, dataset)
            if not worse:
                return run.id
            faults += worse
    raise GateNotMet(
        f'The label "{gate.label}" is protected, and version {version.version_number} does not '
        f"meet its gate: {'; '.join(fault.message for fault in faults)}.",
        errors=faults,
    )


async def _newest_runs(
    session: AsyncSession, version: PromptVersion, dataset_id: UUID
) -> dict[Models, EvalRun]:
    """The newest completed run of a version for each set of models, the newest first."""
    query = (
        select(EvalRun)
        .filter_by(prompt_version_id=version.id, dataset_id=dataset_id, status=RunStatus.completed)
        .order_by(EvalRun.id.desc())
    )
    newest: dict[Models, EvalRun] = {}
    for run in await session.scalars(query):
        newest.setdefault(_models(run), run)
    return newest


def _models(run: EvalRun) -> Models:
    return frozenset(zip(model_names(run), (entry["model"] for entry in run.models), strict=True))


async def _below_bar(session: AsyncSession, run: EvalRun, bar: float) -> list[FieldFault]:
    if not await _is_graded(session, run):
        return [FieldFault(f"run {run.id}", f"run {run.id} has no assertions, so it says nothing")]
    faults = []
    for model in model_names(run):
        passed, items = await count_passed(session, Side(run, model))
        if passed < bar * items - _TOLERANCE or not items:
            rate = passed / items if items else 0.0
            message = (
                f"pass rate {rate:.4g} ({passed:,} of {items:,} items) below {bar:g} with {model} "
                f"in run {run.id}"
            )
            faults.append(FieldFault(f"run {run.id}", message))
    return faults


async def _is_graded(session: AsyncSession, run: EvalRun) -> bool:
    """Whether any answer was held against an assertion; without one, everything passes."""
    if run.assertions:
        return True
    graded = func.jsonb_array_length(EvalResult.grading["assertions"]) > 0
    found = exists().where(EvalResult.eval_run_id == run.id, graded)
    return bool(await session.scalar(select(found)))


async def _worse_than(
    session: AsyncSession,
    run: EvalRun,
    holder: PromptVersion,
    runs: dict[Models, EvalRun],
    dataset: str,
) -> list[FieldFault]:
    """What speaks against the run, held against those of the version that has the label."""
    name = f"version {holder.version_number}"
    before = runs.get(_models(run))
    if before is None:
        models = ", ".join(model_names(run))
        message = (
            f'{name}, which has the label, has no completed run on dataset "{dataset}" with just '
            f"the models of run {run.id} ({models}) to compare it with"
        )
        return [FieldFault(f"run {run.id}", message)]
    if not graded_alike(before, run):
        message = (
            f"run {run.id} cannot be compared with run {before.id} of {name}, which has the label: "
            "they have different assertions or rules for passing"
        )
        return [FieldFault(f"run {run.id}", message)]
    faults = []
    for model in model_names(run):
        pairs = (await measure(session, Side(before, model), Side(run, model), shown=0)).pairs
        p_value = mcnemar_p_value(pairs)
        if not pairs.total:
            message = f"runs {run.id} and {before.id} of {name} have no item in common"
        elif pairs.lost > pairs.won and p_value < ALPHA:
            message = (
                f"significantly worse than {name} with {model}: {_items(pairs.lost)} got worse, "
                f"{pairs.won:,} better, p={told(p_value)} (runs {before.id} and {run.id})"
            )
        else:
            continue
        faults.append(FieldFault(f"run {run.id}", message))
    return faults


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"
