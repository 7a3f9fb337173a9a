"""Evaluation runs in numbers."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from tests.apps.calling import FrontEnd
from tests.apps.evaluations.conftest import NOON, a_run, a_thread, store
from tests.identity.people import Person

from assay.apps.evaluations.models import (
    AdversarialEvaluation,
    EvaluationStatus,
)
from assay.core.database import Database


async def test_the_summary_of_nothing(front_end: FrontEnd) -> None:
    assert await front_end.get("/eval-runs/stats/summary") == {
        "total_runs": 0,
        "runs_by_status": {},
        "runs_by_command": {},
        "last_run_at": None,
        "total_threads": 0,
        "avg_intent_accuracy": None,
        "success_rate": None,
        "correctness_distribution": {},
        "efficiency_distribution": {},
        "total_adversarial": 0,
        "adversarial_distribution": {},
        "goal_achieved_rate": None,
    }


async def store_two_days(person: Person, database: Database) -> None:
    """Two runs of today and one of two days before, with what they found."""
    before = NOON - timedelta(days=2)
    judged = a_run(person, status=EvaluationStatus.completed, created_at=before)
    today = a_run(person, status=EvaluationStatus.completed, created_at=NOON)
    attacked = a_run(person, command="evaluate-adversarial", created_at=NOON)
    threads = [
        (judged, 0.5, "PASS", "EFFICIENT", True),
        (judged, None, None, None, False),
        (today, 1.0, "PASS", "EFFICIENT", True),
        (today, 0.75, "CRITICAL", "BROKEN", False),
    ]
    names = "intent_accuracy", "worst_correctness", "efficiency_verdict", "success_status"
    await store(
        database,
        judged,
        today,
        attacked,
        *(a_thread(run, **dict(zip(names, rest, strict=True))) for run, *rest in threads),
        *(
            AdversarialEvaluation(
                run_id=attacked.id, result={}, verdict=verdict, goal_achieved=reached
            )
            for verdict, reached in (("PASS", False), ("HARD FAIL", True), (None, False))
        ),
    )


async def test_the_summary(front_end: FrontEnd, person: Person, stored: Database) -> None:
    await store_two_days(person, stored)
    summary = await front_end.get("/eval-runs/stats/summary")
    assert datetime.fromisoformat(summary.pop("last_run_at")) == NOON
    assert summary == {
        "total_runs": 3,
        "runs_by_status": {"completed": 2, "running": 1},
        "runs_by_command": {"evaluate-threads": 2, "evaluate-adversarial": 1},
        "total_threads": 4,
        "avg_intent_accuracy": 0.75,
        "success_rate": 0.5,
        "correctness_distribution": {"PASS": 2, "CRITICAL": 1},
        "efficiency_distribution": {"EFFICIENT": 2, "BROKEN": 1},
        "total_adversarial": 3,
        "adversarial_distribution": {"PASS": 1, "HARD FAIL": 1},
        "goal_achieved_rate": pytest.approx(1 / 3),
    }
    narrow = await front_end.get("/eval-runs/stats/summary", command="evaluate-adversarial")
    assert (narrow["total_runs"], narrow["total_threads"], narrow["total_adversarial"]) == (1, 0, 3)


async def test_trends_have_every_day(front_end: FrontEnd, person: Person, stored: Database) -> None:
    await store_two_days(person, stored)
    async with stored.session() as session:
        now = await session.scalar(select(func.timezone("UTC", func.clock_timestamp())))
    assert now is not None
    days, total = await front_end.listed("/eval-runs/stats/trends", days=7)
    assert total == len(days) == 7
    first = now.date() - timedelta(days=6)
    assert [day["day"] for day in days] == [str(first + timedelta(days=n)) for n in range(7)]
    by_day = {day["day"]: day for day in days}
    before, today = by_day[str((NOON - timedelta(days=2)).date())], by_day[str(NOON.date())]
    assert (before["total_runs"], before["total_threads"]) == (1, 2)
    assert (before["avg_intent_accuracy"], before["success_rate"]) == (0.5, 0.5)
    assert before["correctness_distribution"] == {"PASS": 1}
    assert (today["total_runs"], today["total_adversarial"]) == (2, 3)
    assert today["efficiency_distribution"] == {"EFFICIENT": 1, "BROKEN": 1}
    empty = by_day[str((NOON - timedelta(days=1)).date())]
    assert (empty["total_runs"], empty["total_threads"], empty["success_rate"]) == (0, 0, None)

    page = await front_end.listed("/eval-runs/stats/trends", days=7, limit=2, offset=3)
    assert page == (days[3:5], 7)
    assert len(await front_end.get("/eval-runs/stats/trends")) == 30
    narrow = await front_end.get("/eval-runs/stats/trends", days=7, command="evaluate-threads")
    assert sum(day["total_runs"] for day in narrow) == 2
    for wrong in (0, 367):
        fault = await front_end.fault("GET", "/eval-runs/stats/trends", days=wrong)
        assert fault == "query.days"


async def test_a_share_that_is_none_is_refused(person: Person, stored: Database) -> None:
    run = a_run(person)
    with pytest.raises(IntegrityError, match="accuracy_is_a_share"):
        await store(stored, run, a_thread(run, intent_accuracy=1.5))
