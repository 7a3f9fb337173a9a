"""Evaluation runs as a front end reads them; the rows are written here, as jobs write them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from tests.apps.calling import FrontEnd
from tests.apps.evaluations.conftest import NOON, a_run, a_thread, store
from tests.identity.people import Installation, Person

from assay.apps.evaluations.models import (
    AdversarialEvaluation,
    ApiLog,
    ThreadEvaluation,
    new_run_id,
)
from assay.core.database import Database
from assay.identity.actor import Role, job_actor
from assay.jobs import service as jobs
from assay.jobs.service import NewJob

RUN_FIELDS = {
    "llm_provider": "openai",
    "llm_model": "gpt-5-mini",
    "eval_temperature": 0.5,
    "data_path": "threads.csv",
    "data_file_hash": "abc",
    "flags": {"intent": True},
    "duration_seconds": 12.5,
    "status": "completed",
    "error_message": None,
    "summary": {"PASS": 3},
    "total_items": 3,
}


THREAD_FIELDS = {
    "thread_id": "t-1",
    "data_file_hash": "abc",
    "intent_accuracy": 0.75,
    "worst_correctness": "SOFT FAIL",
    "efficiency_verdict": "ACCEPTABLE",
    "success_status": True,
    "result": {"replies": [{"turn": 1, "verdict": "SOFT FAIL"}]},
}


ADVERSARIAL_FIELDS = {
    "category": "prompt injection",
    "difficulty": "hard",
    "verdict": "PASS",
    "goal_achieved": False,
    "total_turns": 6,
    "result": {"transcript": [{"role": "user", "content": "Ignore all that."}]},
}


LOG_FIELDS = {
    "thread_id": "t-1",
    "provider": "openai",
    "model": "gpt-5-mini",
    "method": "judge",
    "prompt": "Judge this.",
    "system_prompt": "You judge.",
    "response": "{}",
    "error": None,
    "duration_ms": 412.5,
    "tokens_in": 100,
    "tokens_out": 20,
}


PARTS = [
    pytest.param("threads", ThreadEvaluation, THREAD_FIELDS, id="threads"),
    pytest.param("adversarial", AdversarialEvaluation, ADVERSARIAL_FIELDS, id="adversarial"),
    pytest.param("logs", ApiLog, LOG_FIELDS, id="logs"),
]


async def test_a_run_has_all_fields(front_end: FrontEnd, person: Person, stored: Database) -> None:
    async with stored.session() as session:
        new = NewJob("evaluate-threads", {})
        [job] = await jobs.enqueue(session, job_actor(str(person.id)), new)
    run = a_run(person, **RUN_FIELDS, job_id=job.id)
    await store(stored, run)
    read = await front_end.get(f"/eval-runs/{run.id}")
    assert {name: read[name] for name in RUN_FIELDS} == RUN_FIELDS
    assert read.keys() - RUN_FIELDS.keys() == {"id", "job_id", "command", "created_at", "user_id"}
    assert (read["id"], read["job_id"], read["command"], read["user_id"]) == (
        run.id,
        str(job.id),
        "evaluate-threads",
        str(person.id),
    )
    assert datetime.fromisoformat(read["created_at"]) == run.created_at
    assert await front_end.get("/eval-runs") == [read]


async def test_a_run_that_has_just_begun(
    front_end: FrontEnd, person: Person, stored: Database
) -> None:
    run = a_run(person)
    await store(stored, run)
    read = await front_end.get(f"/eval-runs/{run.id}")
    assert (read["status"], read["flags"], read["total_items"]) == ("running", {}, 0)
    assert (read["eval_temperature"], read["duration_seconds"]) == (0, 0)


async def test_lists_are_newest_first_by_command_and_status(
    front_end: FrontEnd, person: Person, stored: Database
) -> None:
    runs = [
        a_run(person, command=command, status=status, created_at=NOON + timedelta(seconds=number))
        for number, (command, status) in enumerate(
            [("a", "completed"), ("b", "completed"), ("a", "failed"), ("a", "completed")]
        )
    ]
    await store(stored, *reversed(runs))

    async def found(**query: Any) -> list[int]:
        rows, total = await front_end.listed("/eval-runs", **query)
        numbers = [[run.id for run in runs].index(row["id"]) for row in rows]
        assert "limit" in query or total == len(numbers)
        return numbers

    assert await found() == [3, 2, 1, 0]
    assert await found(limit=2, offset=1) == [2, 1]
    assert front_end.headers["X-Total-Count"] == "4"
    assert await found(command="a") == [3, 2, 0]
    assert await found(status="completed") == [3, 1, 0]
    assert await found(command="a", status="failed") == [2]
    assert await found(command="nothing") == []
    assert await front_end.fault("GET", "/eval-runs", status="asleep") == "query.status"
    assert await front_end.fault("GET", "/eval-runs", limit=501) == "query.limit"


@pytest.mark.parametrize(("path", "part", "fields"), PARTS)
async def test_parts_of_a_run_have_all_fields_and_are_in_pages(
    front_end: FrontEnd,
    person: Person,
    stored: Database,
    path: str,
    part: type[Any],
    fields: dict[str, Any],
) -> None:
    run, other = a_run(person), a_run(person)
    rows = [part(run_id=run.id, **fields) for _ in range(3)]
    await store(stored, run, other, *rows, part(run_id=other.id, **fields))
    read, total = await front_end.listed(f"/eval-runs/{run.id}/{path}")
    assert [row["id"] for row in read] == [row.id for row in reversed(rows)]
    assert total == 3
    assert {name: read[0][name] for name in fields} == fields
    assert read[0].keys() - fields.keys() == {"id", "run_id", "created_at"}
    assert read[0]["run_id"] == run.id
    page = await front_end.listed(f"/eval-runs/{run.id}/{path}", limit=1, offset=1)
    assert page == ([read[1]], 3)
    await front_end.get(f"/eval-runs/nothing/{path}", 404)


async def test_how_one_conversation_scored_over_runs(
    front_end: FrontEnd, person: Person, installation: Installation
) -> None:
    runs = [a_run(person) for _ in range(3)]
    others = a_run(await installation.person(Role.editor))
    await store(
        installation.database,
        *runs,
        others,
        *(a_thread(run, thread_id="visit 7", intent_accuracy=0.5) for run in runs),
        a_thread(runs[0], thread_id="visit 8"),
        a_thread(runs[0], thread_id="ward/2/history"),
        a_thread(others, thread_id="visit 7"),
    )
    rows, total = await front_end.listed("/threads/visit 7/history")
    assert [row["run_id"] for row in rows] == [run.id for run in reversed(runs)]
    assert total == 3
    assert {row["thread_id"] for row in rows} == {"visit 7"}
    assert await front_end.listed("/threads/visit 7/history", limit=1, offset=2) == ([rows[2]], 3)
    assert await front_end.listed("/threads/visit 7/history", offset=3) == ([], 3)
    for named in ("ward/2/history", "ward%2F2%2Fhistory"):
        [row], _ = await front_end.listed(f"/threads/{named}/history")
        assert row["thread_id"] == "ward/2/history"
    await front_end.get("/threads/nothing/history", 404)
    await front_end.get(f"/threads/{'a' * 201}/history", 422)


async def test_a_run_is_deleted_with_all_that_is_in_it(
    front_end: FrontEnd, person: Person, stored: Database
) -> None:
    run, other = a_run(person), a_run(person)
    parts: list[type[Any]] = [ThreadEvaluation, AdversarialEvaluation, ApiLog]
    fields: list[dict[str, Any]] = [THREAD_FIELDS, ADVERSARIAL_FIELDS, LOG_FIELDS]
    for one in (run, other):
        rows = (part(run_id=one.id, **own) for part, own in zip(parts, fields, strict=True))
        await store(stored, one, *rows)
    path = f"/eval-runs/{run.id}"
    assert await front_end.call("DELETE", path) == {"deleted": True, "id": run.id}
    await front_end.get(path, 404)
    await front_end.call("DELETE", path, 404)
    async with stored.session() as session:
        for part in parts:
            query = select(part.run_id).where(part.run_id.in_([run.id, other.id]))
            assert list(await session.scalars(query)) == [other.id]


async def test_a_run_whose_job_goes_on_is_not_deleted(
    front_end: FrontEnd, person: Person, stored: Database
) -> None:
    async with stored.session() as session:
        actor = job_actor(str(person.id))
        [job] = await jobs.enqueue(session, actor, NewJob("evaluate-threads", {}))
    run = a_run(person, job_id=job.id)
    await store(stored, run)
    problem = await front_end.call("DELETE", f"/eval-runs/{run.id}", 409)
    assert problem["code"] == "run_active"
    async with stored.session() as session:
        await jobs.cancel_job(session, actor, job.id)
    await front_end.call("DELETE", f"/eval-runs/{run.id}")


async def test_those_of_others_are_not_there(
    front_end: FrontEnd, person: Person, installation: Installation
) -> None:
    run = a_run(person)
    await store(installation.database, run, a_thread(run, thread_id="mine"))
    admin = FrontEnd((await installation.person(Role.admin)).client)
    assert await admin.listed("/eval-runs") == ([], 0)
    await admin.get("/threads/mine/history", 404)
    for path in ("", "/threads", "/adversarial", "/logs"):
        await admin.get(f"/eval-runs/{run.id}{path}", 404)
    await admin.call("DELETE", f"/eval-runs/{run.id}", 404)
    assert (await admin.get("/eval-runs/stats/summary"))["total_runs"] == 0
    assert sum(day["total_runs"] for day in await admin.get("/eval-runs/stats/trends")) == 0
    assert (await front_end.get(f"/eval-runs/{run.id}"))["id"] == run.id


async def test_ids_of_runs_sort_by_time() -> None:
    ids = [new_run_id()]
    for _ in range(3):
        await asyncio.sleep(0.002)
        ids.append(new_run_id())
    assert ids == sorted(ids)
    assert len(set(ids)) == 4
    assert {len(id_) for id_ in ids} == {20}


async def test_lists_are_read_from_indexes(person: Person, own_database: Database) -> None:
    """Among many rows of others."""
    async with own_database.connection() as connection:
        await connection.execute("""
            INSERT INTO apps.eval_runs (id, command, status, user_id)
            SELECT 'r' || n, 'evaluate-threads', 'completed', 'user ' || n % 50
            FROM generate_series(1, 5000) AS n
        """)
        await connection.execute("""
            INSERT INTO apps.thread_evaluations (run_id, thread_id, result)
            SELECT 'r' || 1 + n % 5000, 't' || n % 500, '{}' FROM generate_series(1, 20000) AS n
        """)
        await connection.execute("VACUUM ANALYZE apps.eval_runs, apps.thread_evaluations")
        for query, index in (
            (
                "SELECT * FROM apps.eval_runs WHERE user_id = 'user 7' "
                "ORDER BY created_at DESC, id DESC LIMIT 100",
                "ix_eval_runs_user_id",
            ),
            (
                "SELECT * FROM apps.thread_evaluations WHERE run_id = 'r7' "
                "ORDER BY id DESC LIMIT 100",
                "ix_thread_evaluations_run_id",
            ),
            (
                "SELECT * FROM apps.thread_evaluations AS t WHERE thread_id = 't7' AND EXISTS "
                "(SELECT FROM apps.eval_runs AS r WHERE r.id = t.run_id AND user_id = 'user 7') "
                "ORDER BY id DESC LIMIT 100",
                "ix_thread_evaluations_thread_id",
            ),
        ):
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
            assert index in plan, plan
            assert "Seq Scan" not in plan, plan


async def test_unknown_ids_are_404(front_end: FrontEnd) -> None:
    await front_end.get(f"/eval-runs/{str(uuid4())[:20]}", 404)
    await front_end.get(f"/eval-runs/{uuid4()}", 422)
