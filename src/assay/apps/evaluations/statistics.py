"""Evaluation runs in numbers: of all time, and by day.

A conversation counts for the day of its run. Days are those of UTC.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    cast,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.evaluations.models import (
    AdversarialEvaluation,
    EvaluationRun,
    ThreadEvaluation,
)
from assay.apps.evaluations.schemas import EvaluationDay, EvaluationSummary
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor

_ALL_TIME = cast(null(), Date)
# No parameter: what is grouped by has to be the very text of what is selected.
_UTC: ColumnElement[str] = literal_column("'UTC'")
_DAY = cast(func.timezone(_UTC, EvaluationRun.created_at), Date)
_Conditions = Sequence[ColumnElement[bool]]
_Groups = Mapping[date | None, Any]


async def summarize(
    session: AsyncSession, actor: Actor, command: str | None = None
) -> EvaluationSummary:
    """The actor's runs of all time in numbers, or only those of one command."""
    runs = _own_runs(actor, command)
    kinds = select(
        EvaluationRun.status,
        EvaluationRun.command,
        func.count(),
        func.max(EvaluationRun.created_at),
    ).where(*runs)
    by_status, by_command = Counter[Any](), Counter[str]()
    last: datetime | None = None
    grouped = kinds.group_by(EvaluationRun.status, EvaluationRun.command)
    for status, name, count, newest in await session.execute(grouped):
        by_status[status] += count
        by_command[name] += count
        last = newest if last is None else max(last, newest)
    found = await _findings(session, runs, _ALL_TIME)
    return EvaluationSummary(
        total_runs=by_status.total(),
        runs_by_status=dict(by_status),
        runs_by_command=dict(by_command),
        last_run_at=last,
        **found[None],
    )


async def list_days(
    session: AsyncSession,
    actor: Actor,
    page: OffsetPage,
    days: int,
    command: str | None = None,
) -> list[EvaluationDay]:
    """A page of the last `days` days, oldest first, with the actor's runs in numbers."""
    shown = await page.fetch(session, *_last_days(days))
    if not shown:
        return []
    first, after = shown[0], shown[-1] + timedelta(days=1)
    runs = [
        *_own_runs(actor, command),
        EvaluationRun.created_at >= datetime.combine(first, time(), UTC),
        EvaluationRun.created_at < datetime.combine(after, time(), UTC),
    ]
    counted = select(_DAY, func.count()).where(*runs).group_by(_DAY)
    total: dict[date, int] = dict((await session.execute(counted)).all())
    found = await _findings(session, runs, _DAY)
    return [EvaluationDay(day=day, total_runs=total.get(day, 0), **found[day]) for day in shown]


def _own_runs(actor: Actor, command: str | None) -> list[ColumnElement[bool]]:
    mine = [owned(actor, EvaluationRun.user_id)]
    return mine if command is None else [*mine, EvaluationRun.command == command]


def _last_days(days: int) -> tuple[Any, Any]:
    """A query of the days, and their order."""
    today = cast(func.timezone(_UTC, func.clock_timestamp()), Date)
    ago = func.generate_series(0, days - 1, type_=Integer).column_valued("ago")
    return select(cast(today - ago, Date)), ago.desc()


async def _findings(
    session: AsyncSession, runs: _Conditions, day: ColumnElement[date]
) -> defaultdict[date | None, dict[str, Any]]:
    """For each day the fields of `Findings`; those of a day without any where it is not there."""
    threads = await _threads(session, runs, day)
    adversarial = await _adversarial(session, runs, day)
    found: defaultdict[date | None, dict[str, Any]] = defaultdict(
        lambda: {**_threads_in_numbers(()), **_adversarial_in_numbers(())}
    )
    for key, rows in threads.items():
        found[key].update(_threads_in_numbers(rows))
    for key, rows in adversarial.items():
        found[key].update(_adversarial_in_numbers(rows))
    return found


async def _threads(session: AsyncSession, runs: _Conditions, day: ColumnElement[date]) -> _Groups:
    of = ThreadEvaluation
    verdicts = of.worst_correctness, of.efficiency_verdict
    query = (
        select(
            day.label("day"),
            *verdicts,
            func.count(),
            func.count().filter(of.success_status),
            func.sum(of.intent_accuracy),
            func.count(of.intent_accuracy),
        )
        .join(EvaluationRun, EvaluationRun.id == of.run_id)
        .where(*runs)
        .group_by(literal_column("day"), *verdicts)
    )
    return _by_day((await session.execute(query)).all())


async def _adversarial(
    session: AsyncSession, runs: _Conditions, day: ColumnElement[date]
) -> _Groups:
    of = AdversarialEvaluation
    query = (
        select(day.label("day"), of.verdict, func.count(), func.count().filter(of.goal_achieved))
        .join(EvaluationRun, EvaluationRun.id == of.run_id)
        .where(*runs)
        .group_by(literal_column("day"), of.verdict)
    )
    return _by_day((await session.execute(query)).all())


def _by_day(rows: Sequence[Any]) -> _Groups:
    groups: defaultdict[date | None, list[Any]] = defaultdict(list)
    for day, *rest in rows:
        groups[day].append(rest)
    return groups


def _threads_in_numbers(rows: Sequence[Any]) -> dict[str, Any]:
    correctness, efficiency = Counter[str](), Counter[str]()
    threads = succeeded = judged = 0
    accuracy = 0.0
    for correct, efficient, count, good, share, with_share in rows:
        threads, succeeded, judged = threads + count, succeeded + good, judged + with_share
        accuracy += share or 0.0
        if correct is not None:
            correctness[correct] += count
        if efficient is not None:
            efficiency[efficient] += count
    return {
        "total_threads": threads,
        "avg_intent_accuracy": accuracy / judged if judged else None,
        "success_rate": succeeded / threads if threads else None,
        "correctness_distribution": dict(correctness),
        "efficiency_distribution": dict(efficiency),
    }


def _adversarial_in_numbers(rows: Sequence[Any]) -> dict[str, Any]:
    total = reached = 0
    verdicts = Counter[str]()
    for verdict, count, goals in rows:
        total, reached = total + count, reached + goals
        if verdict is not None:
            verdicts[verdict] += count
    return {
        "total_adversarial": total,
        "adversarial_distribution": dict(verdicts),
        "goal_achieved_rate": reached / total if total else None,
    }
