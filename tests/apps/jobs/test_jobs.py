"""Jobs as a front end starts, follows and cancels them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from tests.apps.calling import FrontEnd, Row
from tests.identity.people import installed

from assay.apps.evaluations.models import EvaluationRun
from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import LOCAL_ACTOR, Role, job_actor
from assay.identity.audit.models import AuditEntry
from assay.jobs import service as engine
from assay.jobs.handler import JobHandler, RunningJob
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import NewJob
from assay.jobs.worker import JobWorker

FIELDS = {
    "id",
    "job_type",
    "status",
    "params",
    "result",
    "progress",
    "error_message",
    "created_at",
    "started_at",
    "completed_at",
    "user_id",
}


class Counting(BaseModel):
    """What a job of the type `count-up` takes."""

    to: int = Field(ge=1)
    by: int = 1


async def count_up(job: RunningJob) -> None:
    numbers = range(0, job.params["to"], job.params["by"])
    async with job.database.session() as session:
        await job.complete(session, {"counted": len(numbers)})


async def ignore(_session: AsyncSession, _job: RunningJob, _message: str) -> None:
    """Nothing else is kept of these jobs."""


HANDLERS = {
    "count-up": JobHandler(count_up, ignore, params=Counting),
    "inside": JobHandler(count_up, ignore),
}


@pytest.fixture
def front_end(client: httpx2.AsyncClient, app: FastAPI) -> Iterator[FrontEnd]:
    """That of a server which has a type of job that people may start."""
    own = app.state.job_handlers
    app.state.job_handlers = {**own, **HANDLERS}
    yield FrontEnd(client)
    app.state.job_handlers = own


@asynccontextmanager
async def working(database: Database) -> AsyncIterator[None]:
    worker = JobWorker(database, HANDLERS, slots=2, shutdown_seconds=5)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


async def start(front_end: FrontEnd, **params: Any) -> Row:
    body = {"job_type": "count-up", "params": {"to": 3, **params}}
    job: Row = await front_end.call("POST", "/jobs", 202, body)
    return job


async def enqueue(
    database: Database, job_type: str, *, user_id: str = "default", parent_id: UUID | None = None
) -> Row:
    actor = LOCAL_ACTOR if user_id == "default" else job_actor(user_id)
    async with database.session() as session:
        new = NewJob(job_type, {"to": 1}, parent_id=parent_id)
        [job] = await engine.enqueue(session, actor, new)
        return {"id": str(job.id), "job_type": job_type}


async def test_a_job_is_started_done_and_read(front_end: FrontEnd, database: Database) -> None:
    job = await start(front_end, to=10, by=2)
    assert job.keys() == FIELDS
    assert (job["job_type"], job["status"], job["user_id"]) == ("count-up", "queued", "default")
    assert job["params"] == {"to": 10, "by": 2}
    assert job["progress"] == {"current": 0, "total": 0, "message": ""}
    for name in ("result", "error_message", "started_at", "completed_at"):
        assert job[name] is None
    path = f"/jobs/{job['id']}"
    assert await front_end.get(path) == job
    async with working(database), asyncio.timeout(20):
        while (read := await front_end.get(path))["status"] != "completed":
            await asyncio.sleep(0.02)
    assert read["result"] == {"counted": 5}
    assert job["created_at"] < read["started_at"] < read["completed_at"]
    await front_end.call("POST", f"{path}/cancel", 409)


async def test_progress_is_read(front_end: FrontEnd, database: Database) -> None:
    job = await start(front_end)
    progress = {"current": 2, "total": 3, "message": "Visit of March 3"}
    async with database.session() as session:
        await session.execute(
            update(Job).where(Job.id == UUID(job["id"])).values(progress=progress)
        )
    assert (await front_end.get(f"/jobs/{job['id']}"))["progress"] == progress


async def test_parameters_get_their_defaults(front_end: FrontEnd) -> None:
    assert (await start(front_end))["params"] == {"to": 3, "by": 1}


@pytest.mark.parametrize("job_type", ["nothing", "inside", "eval-run", "eval-run-shard"])
async def test_what_cannot_be_started_is_422_and_says_what_can(
    front_end: FrontEnd, job_type: str
) -> None:
    problem = await front_end.call("POST", "/jobs", 422, {"job_type": job_type})
    assert problem["code"] == "job_not_startable"
    assert problem["errors"][0]["place"] == "body.job_type"
    assert problem["detail"] == "What can be started is count-up."


async def test_types_of_the_playground_have_handlers_and_cannot_be_started_here(
    client: httpx2.AsyncClient, app: FastAPI
) -> None:
    types = list(app.state.job_handlers)
    assert types
    for job_type in types:
        if app.state.job_handlers[job_type].params is None:
            await FrontEnd(client).call("POST", "/jobs", 422, {"job_type": job_type})


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"params": {}}, "body.job_type"),
        ({"job_type": ""}, "body.job_type"),
        ({"job_type": "a" * 51}, "body.job_type"),
        ({"job_type": "count-up", "params": []}, "body.params"),
        ({"job_type": "count-up", "params": {"to": "\0"}}, "body.params.to"),
        ({"job_type": "count-up", "params": {"to": 0}}, "body.params.to"),
        ({"job_type": "count-up"}, "body.params.to"),
        ({"job_type": "count-up", "params": {"to": 1}, "user_id": "x"}, "body.user_id"),
    ],
)
async def test_a_faulty_body_is_422_with_its_place(
    front_end: FrontEnd, body: Row, place: str
) -> None:
    assert await front_end.fault("POST", "/jobs", body) == place


async def test_a_job_is_cancelled_once_with_its_parts_and_its_run(
    front_end: FrontEnd, database: Database
) -> None:
    job = await start(front_end)
    job_id = UUID(job["id"])
    part = await enqueue(database, "count-up", parent_id=job_id)
    async with database.session() as session:
        run = EvaluationRun(command="count-up", job_id=job_id, user_id="default")
        session.add(run)
    path = f"/jobs/{job['id']}"
    cancelled = await front_end.call("POST", f"{path}/cancel")
    assert cancelled["status"] == "cancelled"
    assert cancelled["completed_at"] is not None
    assert await front_end.get(path) == cancelled
    assert (await front_end.get(f"/jobs/{part['id']}"))["status"] == "cancelled"
    assert (await front_end.get(f"/eval-runs/{run.id}"))["status"] == "cancelled"
    problem = await front_end.call("POST", f"{path}/cancel", 409)
    assert problem["detail"] == "The job has already ended: it is cancelled."
    async with database.session() as session:
        query = select(AuditEntry.action).where(AuditEntry.subject == job["id"])
        actions = list(await session.scalars(query.order_by(AuditEntry.id)))
    assert actions == ["app_job.started", "app_job.cancelled"]


async def test_what_is_part_of_something_is_read_and_not_cancelled(
    front_end: FrontEnd, database: Database
) -> None:
    whole = await start(front_end)
    part = await enqueue(database, "count-up", parent_id=UUID(whole["id"]))
    inside = await enqueue(database, "inside")
    for job in (part, inside):
        problem = await front_end.call("POST", f"/jobs/{job['id']}/cancel", 409)
        assert problem["code"] == "part_of_something"
        assert (await front_end.get(f"/jobs/{job['id']}"))["status"] == "queued"


async def test_two_who_cancel_at_once_cancel_once(front_end: FrontEnd) -> None:
    job = await start(front_end)

    async def cancel() -> int:
        answer = await front_end._client.post(f"/api/jobs/{job['id']}/cancel")
        return answer.status_code

    assert sorted(await asyncio.gather(*(cancel() for _ in range(8)))) == [200, *[409] * 7]


async def test_lists_are_newest_first_by_status_and_type(
    front_end: FrontEnd, database: Database
) -> None:
    before = (await front_end.listed("/jobs"))[1]
    first, second = await start(front_end), await start(front_end)
    await enqueue(database, "count-up", parent_id=UUID(second["id"]))
    await enqueue(database, "count-up", user_id=str(uuid4()))
    inside = await enqueue(database, "inside")
    rows, total = await front_end.listed("/jobs", limit=3)
    assert [row["id"] for row in rows] == [inside["id"], second["id"], first["id"]]
    assert rows[1] == second
    assert total == before + 3
    second = await front_end.call("POST", f"/jobs/{second['id']}/cancel")
    by_type = await front_end.listed("/jobs", job_type="count-up", limit=1, offset=1)
    assert by_type[0] == [first]
    by_both = await front_end.listed("/jobs", job_type="count-up", status="cancelled", limit=1)
    assert by_both[0] == [second]
    assert all(row["status"] == "queued" for row in await front_end.get("/jobs", status="queued"))
    assert await front_end.fault("GET", "/jobs", status="asleep") == "query.status"


async def test_ids_of_nothing_are_404(front_end: FrontEnd) -> None:
    await front_end.get(f"/jobs/{uuid4()}", 404)
    await front_end.call("POST", f"/jobs/{uuid4()}/cancel", 404)
    await front_end.get("/jobs/7", 422)


async def test_those_of_others_are_not_there(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> None:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        installation.app.state.job_handlers = HANDLERS
        editor = await installation.person(Role.editor)
        owner = FrontEnd(editor.client)
        admin = FrontEnd((await installation.person(Role.admin)).client)
        job = await start(owner)
        assert job["user_id"] == str(editor.id)
        assert await owner.listed("/jobs") == ([job], 1)
        assert await admin.listed("/jobs") == ([], 0)
        await admin.get(f"/jobs/{job['id']}", 404)
        await admin.call("POST", f"/jobs/{job['id']}/cancel", 404)
        assert (await owner.get(f"/jobs/{job['id']}"))["status"] == JobStatus.queued
