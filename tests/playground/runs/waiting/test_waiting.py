"""Cells that wait for people, asked and answered over HTTP, through a real worker."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from tests.playground.runs.waiting.conftest import AskedRun, Reviewer

from assay.core.database import Database
from assay.events.service import read_after
from assay.identity.actor import LOCAL_ACTOR
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import NewJob, enqueue
from assay.playground.runs.models import EvalRun, EvalRunShard
from assay.playground.runs.shards import open_cells
from assay.playground.runs.specification import load_specification
from assay.playground.runs.waiting.models import WaitingCell
from assay.playground.runs.waiting.storing import ANSWERED_JOB, Place, waiting_places

pytestmark = pytest.mark.usefixtures("worker")

Row = dict[str, Any]


async def test_a_run_completes_when_the_last_person_has_answered(
    asked_run: AskedRun, reviewer: Reviewer
) -> None:
    run = await asked_run(2, name="kind")
    first, second = await reviewer.asked(run, 2)
    assert first["title"] == first["description"] == "Is it kind to word-0?"
    assert first["project_id"] == run["project_id"]
    assert (first["kind"], first["priority"]) == ("approve", "medium")
    assert first["context"] == {
        "input": {"word": "word-0"},
        "output": "Say word-0",
        "expected_output": "word-0",
        "model": "builtin/echo",
        "run": {"id": run["id"], "name": "kind"},
    }
    [result] = [await reviewer.results(run)]
    assert result == []
    await reviewer.says(first, True, "Very.")
    run = await reviewer.until(run["id"], lambda now: now["progress"]["completed"] == 1)
    assert (run["status"], run["progress"]["waiting"]) == ("running", 1)
    await reviewer.says(second, False)
    run = await reviewer.until(run["id"], lambda now: now["status"] != "running")
    assert run["status"] == "completed"
    assert run["progress"] == {
        "total": 2,
        "completed": 2,
        "passed": 1,
        "failed": 1,
        "errors": 0,
        "waiting": 0,
        "cost": 0.0,
        "percent": 100.0,
    }
    assert run["summary"]["overall"]["passed"] == 1
    one, two = await reviewer.results(run)
    assert (one["passed"], one["score"], one["output"]) == (True, 1.0, "Say word-0")
    entry = one["grading"]["assertions"][0]
    assert entry["reason"] == "Yes, said the person at this server: Very."
    assert "judge" not in entry
    assert (two["passed"], two["score"], two["failed_assertions"]) == (False, 0.0, ["human"])
    assert two["grading"]["assertions"][0]["reason"] == "No, said the person at this server."


async def test_judges_are_asked_and_paid_once_however_long_people_take(
    asked_run: AskedRun, reviewer: Reviewer, priced: Any
) -> None:
    model, server = await priced(judge={"reason": "fine", "score": 0.5, "pass": True})
    assertions = [
        {"type": "llm-rubric", "value": "names {{ word }}", "metric": "named"},
        {"type": "assert-set", "assert": [{"type": "not-human", "value": "Is it rude?"}]},
        {"type": "human", "value": "Is '{{ output }}' kind?", "priority": "urgent", "weight": 3},
    ]
    run = await asked_run(1, model, assertions=assertions, judge={"model": model}, repeat=2)
    requests = await reviewer.asked(run, 2)
    assert len(requests) == 4
    assert server.counters.requests == 4
    before = (await reviewer.run(run["id"]))["progress"]["cost"]
    assert before > 0
    for request in requests:
        kind = request["title"].endswith("kind?")
        assert request["priority"] == ("urgent" if kind else "medium")
        await reviewer.says(request, kind)
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    assert server.counters.requests == 4
    assert run["progress"]["cost"] == pytest.approx(before)
    results = await reviewer.results(run)
    assert sum(each["cost"] for each in results) == pytest.approx(before)
    for result in results:
        judged, [rude], kind = (each.get("parts", each) for each in result["grading"]["assertions"])
        assert (judged["reason"], judged["judge"]["model"]) == ("fine", model)
        assert (rude["passed"], rude["score"]) == (True, 1.0)
        assert kind["passed"]
        assert result["score"] == pytest.approx((0.5 + 1 + 3) / 5)
        assert result["metrics"]["judge_cost"] > 0
        assert result["latency_ms"] > 0
    assert run["summary"]["overall"]["metrics"] == {"named": 0.5}


async def test_answers_in_the_same_instant_complete_each_cell_once(
    asked_run: AskedRun, reviewer: Reviewer
) -> None:
    assertions = [{"type": "human", "value": f"Is it good in point {n}?"} for n in range(3)]
    run = await asked_run(10, assertions=assertions)
    requests = await reviewer.asked(run, 10)
    assert len(requests) == 30
    await asyncio.gather(*(reviewer.says(each, True) for each in requests))
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    progress = run["progress"]
    assert (progress["completed"], progress["passed"], progress["waiting"]) == (10, 10, 0)
    for result in await reviewer.results(run):
        assert [each["passed"] for each in result["grading"]["assertions"]] == [True] * 3


async def test_the_same_answer_told_twice_counts_once(
    asked_run: AskedRun, reviewer: Reviewer, database: Database
) -> None:
    run = await asked_run(2)
    first, second = await reviewer.asked(run, 2)
    async with database.session() as session:
        cells = await session.scalars(
            select(WaitingCell).where(WaitingCell.eval_run_id == UUID(run["id"]))
        )
        [cell_id] = [each.id for each in cells if first["id"] in each.questions]
        outcome = {
            "status": "answered",
            "response": {"approved": True},
            "decided_by": "reviewers",
            "answers": [{"by": "Ada", "value": {"approved": True}, "comment": None}],
        }
        params = {"waiting_cell_id": str(cell_id), "request_id": first["id"], **outcome}
        jobs = await enqueue(session, LOCAL_ACTOR, *[NewJob(ANSWERED_JOB, params)] * 6)
        # A request that the cell knows nothing of, and a cell that is gone.
        other = {**params, "request_id": second["id"]}
        gone = {**params, "waiting_cell_id": str(uuid4())}
        jobs += await enqueue(
            session, LOCAL_ACTOR, NewJob(ANSWERED_JOB, other), NewJob(ANSWERED_JOB, gone)
        )
    await ended_jobs(database, [job.id for job in jobs])
    run = await reviewer.run(run["id"])
    assert (run["progress"]["completed"], run["progress"]["waiting"]) == (1, 1)
    assert run["status"] == "running"
    [result] = await reviewer.results(run)
    assert result["grading"]["assertions"][0]["reason"] == "Yes, said Ada."
    await reviewer.says(second, True)
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    assert run["progress"]["passed"] == 2


async def ended_jobs(database: Database, job_ids: list[UUID]) -> None:
    async with asyncio.timeout(30):
        while True:
            async with database.session() as session:
                rows = await session.scalars(select(Job.status).where(Job.id.in_(job_ids)))
                statuses = set(rows.all())
            if statuses == {JobStatus.completed}:
                return
            assert JobStatus.failed not in statuses
            await asyncio.sleep(0.03)


@pytest.mark.parametrize("default", [True, False, None])
async def test_at_the_deadline_the_default_counts_and_without_one_it_is_an_error(
    asked_run: AskedRun, reviewer: Reviewer, default: bool | None
) -> None:
    asked = {"type": "human", "value": "Is it kind?", "deadline": 0.2}
    if default is not None:
        asked["default"] = default
    run = await asked_run(1, assertions=[asked, {"type": "contains", "value": "Say"}])
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    [result] = await reviewer.results(run)
    entry, other = result["grading"]["assertions"]
    assert other["passed"]
    assert result["output"] == "Say word-0"
    if default is None:
        assert result["error"] == "not_decided: Nobody answered in time."
        assert (entry["error"], entry["reason"]) == (True, "Nobody answered in time.")
        assert (run["progress"]["errors"], run["progress"]["failed"]) == (1, 0)
        assert (result["passed"], result["score"]) == (False, 0.5)
    else:
        word = "Yes" if default else "No"
        assert entry["reason"] == f"{word}, by default: Nobody answered in time."
        assert (entry["passed"], result["passed"], result["error"]) == (default, default, None)


async def test_people_decide_by_a_quorum(
    asked_run: AskedRun, reviewer: Reviewer, database: Database
) -> None:
    asked = {"type": "human", "value": "Is it kind?", "quorum": 3, "role": "admin"}
    run = await asked_run(1, assertions=[{**asked, "rule": "unanimous"}])
    [request] = await reviewer.asked(run, 1)
    assert (request["quorum"], request["rule"]) == (3, "unanimous")
    assert request["assignee_role"] == "admin"
    await reviewer.says(request, True, "Yes!")
    assert (await reviewer.run(run["id"]))["progress"]["waiting"] == 1
    await reviewer.says(request, False, "On a second look, no.")
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    [result] = await reviewer.results(run)
    reason = result["grading"]["assertions"][0]["reason"]
    assert reason == "No, said the person at this server: On a second look, no."


async def test_a_cancelled_request_is_an_error_that_can_be_asked_again(
    asked_run: AskedRun, reviewer: Reviewer
) -> None:
    run = await asked_run(2)
    first, second = await reviewer.asked(run, 2)
    await reviewer.call("POST", f"/requests/{first['id']}/cancel")
    await reviewer.says(second, True)
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    assert (run["progress"]["passed"], run["progress"]["errors"]) == (1, 1)
    one, _two = await reviewer.results(run)
    assert one["error"] == "not_decided: The request to people was cancelled."
    await reviewer.call("POST", f"/eval-runs/{run['id']}/rerun-failed", 202, {"what": "errors"})
    [again] = await reviewer.asked(run, 1)
    assert again["title"] == first["title"]
    await reviewer.says(again, True)
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    assert (run["progress"]["passed"], run["progress"]["errors"]) == (2, 0)


async def test_a_canceled_run_withdraws_what_it_asked_and_asks_again_when_resumed(
    asked_run: AskedRun, reviewer: Reviewer
) -> None:
    run = await asked_run(3)
    first, *others = await reviewer.asked(run, 3)
    await reviewer.says(first, True)
    await reviewer.until(run["id"], lambda now: now["progress"]["completed"] == 1)
    canceled = await reviewer.call("POST", f"/eval-runs/{run['id']}/cancel")
    assert canceled["status"] == "canceled"
    assert canceled["progress"]["waiting"] == 0
    assert await reviewer.requests(run, "pending") == []
    withdrawn = await reviewer.requests(run, "cancelled")
    assert [each["id"] for each in withdrawn] == [each["id"] for each in others]
    await reviewer.call(
        "POST", f"/requests/{others[0]['id']}/respond", 409, {"value": {"approved": True}}
    )
    await reviewer.call("POST", f"/eval-runs/{run['id']}/resume", 202)
    again = await reviewer.asked(run, 2)
    assert [each["title"] for each in again] == [each["title"] for each in others]
    for request in again:
        await reviewer.says(request, False)
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    assert (run["progress"]["passed"], run["progress"]["failed"]) == (1, 2)
    # The jobs of the withdrawn requests have found nothing to do.
    assert run["progress"]["errors"] == 0


@pytest.mark.parametrize("what", ["datasets", "prompts", "use-cases", "projects"])
async def test_deleting_what_a_run_needs_withdraws_what_it_asked(
    asked_run: AskedRun, reviewer: Reviewer, what: str
) -> None:
    run = await asked_run(2)
    first, second = await reviewer.asked(run, 2)
    await reviewer.says(first, True)
    dataset = await reviewer.call("GET", f"/datasets/{run['dataset_id']}")
    version = await reviewer.call("GET", f"/prompt-versions/{run['prompt_version_id']}")
    of = {
        "datasets": run["dataset_id"],
        "prompts": version["prompt_id"],
        "use-cases": dataset["use_case_id"],
        "projects": run["project_id"],
    }
    await reviewer.call("DELETE", f"/{what}/{of[what]}", 204)
    await reviewer.call("GET", f"/eval-runs/{run['id']}", 404)
    assert await reviewer.requests(run, "pending") == []
    [withdrawn] = await reviewer.requests(run, "cancelled")
    assert withdrawn["id"] == second["id"]


async def test_stored_answers_can_be_put_before_people(
    asked_run: AskedRun, reviewer: Reviewer, priced: Any
) -> None:
    model, server = await priced(logprobs=lambda _: [-0.5, -1.5])
    models = [{"model": model, "parameters": {"logprobs": True}}]
    run = await asked_run(2, models=models, assertions=[])
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    asked = server.counters.requests
    human = [{"type": "human", "value": "Is it kind?"}, {"type": "perplexity", "threshold": 3}]
    path = f"/eval-runs/{run['id']}/rescore"
    again = await reviewer.call("POST", path, 202, {"assertions": human})
    requests = await reviewer.asked(again, 2)
    for request in requests:
        await reviewer.says(request, True)
    again = await reviewer.until(again["id"], lambda now: now["status"] == "completed")
    assert again["progress"]["passed"] == 2
    assert again["progress"]["cost"] == 0
    assert server.counters.requests == asked
    for before, after in zip(
        await reviewer.results(run), await reviewer.results(again), strict=True
    ):
        for name in ("request", "output", "latency_ms"):
            assert before[name] == after[name]
        assert after["metrics"]["original"]["cost"] == before["cost"]
    compared = await reviewer.call("GET", f"/eval-runs/compare?ids={run['id']},{again['id']}")
    assert [each["id"] for each in compared["runs"]] == [run["id"], again["id"]]


async def test_where_a_model_failed_nobody_is_asked(
    asked_run: AskedRun, reviewer: Reviewer, scripted: Any
) -> None:
    model, _server = await scripted(models=["another"])
    run = await asked_run(1, model)
    run = await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    assert run["progress"]["errors"] == 1
    assert await reviewer.requests(run, "pending") == []


async def test_a_budget_counts_what_waits(
    asked_run: AskedRun, reviewer: Reviewer, priced: Any
) -> None:
    model, server = await priced()
    run = await asked_run(20, model, max_cost=1e-9, concurrency=1)
    run = await reviewer.until(run["id"], lambda now: now["status"] == "canceled")
    assert "budget" in run["error_message"]
    assert server.counters.requests < 20
    assert run["progress"]["cost"] > 1e-9
    assert run["progress"]["waiting"] == 0
    assert await reviewer.requests(run, "pending") == []
    path = f"/eval-runs/{run['id']}/resume"
    await reviewer.call("POST", path, 202, {"max_cost": 1000})
    requests = await reviewer.asked(run, 20)
    assert len(requests) == 20
    await reviewer.call("POST", f"/eval-runs/{run['id']}/cancel")


async def test_people_who_cannot_be_asked_are_named_before_the_start(
    make_parts: Any, reviewer: Reviewer
) -> None:
    parts = await make_parts(1)
    asked = {"type": "not-human", "value": "Is it?", "assignees": ["nobody@example.com"]}
    group = {"type": "assert-set", "assert": [asked]}
    await reviewer.call(
        "PATCH",
        f"/dataset-items/{parts.item_ids[0]}",
        200,
        {"assertions": [group]},
    )
    body = parts.body("builtin/echo", assertions=[{"type": "contains", "value": "a"}, group])
    problem = await reviewer.call("POST", "/eval-runs", 422, body)
    places = [fault["place"] for fault in problem["errors"]]
    assert places == ["body.assertions[1].assert[0].assignees", "the items' assertions"]
    assert "no active user" in problem["detail"]


async def test_readers_of_the_feed_are_told_who_waits(
    asked_run: AskedRun, reviewer: Reviewer, database: Database
) -> None:
    run = await asked_run(1)
    [request] = await reviewer.asked(run, 1)
    await reviewer.says(request, True)
    await reviewer.until(run["id"], lambda now: now["status"] == "completed")
    async with database.session() as session:
        events = await read_after(session, 0, limit=10_000)
    mine = [event for event in events if event.subject == run["id"]]
    told = {event.type: event.data["progress"] for event in mine if "progress" in event.data}
    assert told["run.completed"]["waiting"] == 0
    assert told["run.progress"]["completed"] == 1


async def test_a_cell_that_is_answered_while_its_shard_is_read_is_not_asked_again(
    asked_run: AskedRun,
    reviewer: Reviewer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = await asked_run(2)
    first, _ = await reviewer.asked(run, 2)

    async def answered_before(session: AsyncSession, shard: EvalRunShard) -> set[Place]:
        """Who reads what waits comes a moment after an answer."""
        await reviewer.says(first, True)
        await reviewer.until(run["id"], lambda now: now["progress"]["completed"] == 1)
        return await waiting_places(session, shard)

    monkeypatch.setattr("assay.playground.runs.shards.waiting_places", answered_before)
    run_id = UUID(run["id"])
    async with database.session() as session:
        specification = await load_specification(session, run_id)
        assert specification is not None
        shard = await session.get_one(EvalRunShard, (run_id, 0))
        row = await session.get_one(EvalRun, run_id)
        assert await open_cells(session, specification, shard, row) == []
