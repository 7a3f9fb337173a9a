"""What readers of the feed are told of a run, by a real worker."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx2
import pytest

from assay.core.database import Database
from assay.events.models import Event
from assay.events.service import read_after
from assay.playground.runs.writer import TELL_EVERY

pytestmark = pytest.mark.usefixtures("worker")


async def told(database: Database, run_id: str) -> Sequence[Event]:
    async with database.session() as session:
        events = await read_after(session, 0, limit=10_000)
    return [event for event in events if event.subject == run_id]


async def test_a_run_is_told_from_its_start_to_its_end(
    client: httpx2.AsyncClient,
    database: Database,
    make_parts: Any,
    start_run: Any,
    ended_run: Any,
    scripted: Any,
) -> None:
    parts = await make_parts(40)
    model, _ = await scripted(max_concurrency=4, latency=0.15)
    run = await start_run(parts.body(model, name="told"))
    ended = await ended_run(run["id"])
    events = await told(database, run["id"])

    types = [event.type for event in events]
    assert types[:2] == ["run.created", "run.running"]
    assert types[-1] == "run.completed"
    assert set(types[2:-1]) == {"run.progress"}
    for event in events:
        assert event.topic == "runs"
        assert event.project_id == UUID(run["project_id"])
        assert event.data["id"] == run["id"]
        assert event.data["project_id"] == run["project_id"]
        assert event.data["name"] == "told"
        assert event.data["progress"]["total"] == 40

    created, running, *progress, completed = events
    assert (created.data["by"], created.data["status"]) == ("default", "pending")
    assert (running.data["status"], running.data["progress"]["completed"]) == ("running", 0)
    assert completed.data["status"] == "completed"
    assert completed.data["progress"] == ended["progress"]
    assert completed.data["progress"]["completed"] == 40
    counts = [event.data["progress"]["completed"] for event in progress]
    assert counts == sorted(counts)
    assert {event.data["status"] for event in progress} == {"running"}
    assert all(event.data["progress"].keys() == ended["progress"].keys() for event in progress)


async def test_progress_is_told_now_and_then_and_not_with_every_result(
    database: Database, make_parts: Any, start_run: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(60)
    model, _ = await scripted(max_concurrency=2, latency=0.04)
    run = await start_run(parts.body(model))
    await ended_run(run["id"])
    progress = [event for event in await told(database, run["id"]) if event.type == "run.progress"]
    assert progress
    assert len({event.data["progress"]["completed"] for event in progress}) == len(progress)
    # An event is written somewhat after the moment that was decided on.
    pauses = [
        (later.created_at - sooner.created_at).total_seconds()
        for sooner, later in pairwise(progress)
    ]
    assert pauses, "it took longer than one pause"
    took = (progress[-1].created_at - progress[0].created_at).total_seconds()
    assert len(pauses) <= took / TELL_EVERY + 1


async def test_a_run_that_is_canceled_resumed_and_deleted_says_so(
    client: httpx2.AsyncClient,
    database: Database,
    make_parts: Any,
    start_run: Any,
    ended_run: Any,
    scripted: Any,
) -> None:
    parts = await make_parts(8)
    model, _ = await scripted(max_concurrency=4, latency=0.1)
    run = await start_run(parts.body(model))
    path = f"/api/v1/eval-runs/{run['id']}"
    assert (await client.post(f"{path}/cancel")).status_code == 200
    assert (await client.post(f"{path}/resume")).status_code in (200, 202)
    await ended_run(run["id"])
    assert (await client.delete(path)).status_code == 204
    types = [event.type for event in await told(database, run["id"])]
    changes = [kind for kind in types if kind not in ("run.progress", "run.running")]
    assert changes == [
        "run.created",
        "run.canceled",
        "run.resumed",
        "run.completed",
        "run.deleted",
    ]


async def test_a_change_that_is_refused_is_not_told(
    client: httpx2.AsyncClient, database: Database, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(1)
    run = await start_run(parts.body("builtin/echo"))
    await ended_run(run["id"])
    before = [event.id for event in await told(database, run["id"])]
    path = f"/api/v1/eval-runs/{run['id']}"
    assert (await client.post(f"{path}/cancel")).status_code == 409
    assert [event.id for event in await told(database, run["id"])] == before
