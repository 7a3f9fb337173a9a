"""Cells that begin to wait: once, whatever happens to the job that has them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from tests.playground.conftest import Factory

from assay.consults.requests.models import ConsultationRequest, RequestStatus
from assay.core.database import Database, to_json
from assay.grading.questions import PersonOptions, PersonQuestion
from assay.grading.results import Answer
from assay.identity.actor import LOCAL_ACTOR, Actor
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import LostJob, NewJob, enqueue, start
from assay.playground.runs.models import EvalRun, RunStatus
from assay.playground.runs.people import CellQuestion
from assay.playground.runs.rows import AnsweredCell, WaitingRow
from assay.playground.runs.specification import Cell, Item, RunSpecification, load_specification
from assay.playground.runs.waiting.models import WaitingCell
from assay.playground.runs.waiting.storing import keep_waiting
from assay.wiring import RequestedPeople

ENTRY = {"model": "builtin/echo"}
ASSERTION = {"type": "human", "value": "Kind?", "assignees": ["gone@example.com"]}


class Held:
    """A job in the hands of a worker that only stores what it is told to."""

    def __init__(self, job_id: UUID, attempt: int) -> None:
        self.job_id = job_id
        self.attempt = attempt

    def stored(self, rows: int) -> None:
        raise AssertionError("the writer tells this")

    def lost(self) -> None:
        raise AssertionError("the writer tells this")


class Stage:
    """A running run with one item, and a job that has its cell."""

    def __init__(self, database: Database, specification: RunSpecification, item: Item) -> None:
        self.database = database
        self.specification = specification
        self.item = item

    async def job(self) -> Held:
        async with self.database.session() as session:
            [job] = await enqueue(session, LOCAL_ACTOR, NewJob("nobody.works.on", {}))
        return await self.again(job.id)

    async def again(self, job_id: UUID) -> Held:
        async with self.database.session() as session:
            job = await start(session, job_id)
        assert job is not None
        return Held(job.id, job.attempt)

    def row(self, held: Held, *questions: str, findings: Any = None, **options: Any) -> WaitingRow:
        cell = Cell(self.item, self.specification.models[0], 0)
        answered = AnsweredCell(cell, Answer("Hi."), None, None, {"cost": 0.25}, 0.25)
        asked = [PersonQuestion(text, PersonOptions(**options)) for text in questions]
        return WaitingRow(held, answered, asked, findings or {}, 0.25)

    async def keep(self, row: WaitingRow, people: Any = None) -> Any:
        people = people or RequestedPeople()
        return await keep_waiting(self.database, people, self.specification, row)

    async def counts(self) -> tuple[int, int, float, int]:
        """Cells that wait by the rows and by the run, the run's cost, and open requests."""
        run_id = self.specification.run_id
        async with self.database.session() as session:
            run = await session.get_one(EvalRun, run_id)
            cells = await session.scalar(
                select(func.count()).where(WaitingCell.eval_run_id == run_id)
            )
            requests = await session.scalar(
                select(func.count()).where(
                    ConsultationRequest.status == RequestStatus.pending,
                    ConsultationRequest.asker_metadata["run_id"].astext == str(run_id),
                )
            )
        return cells or 0, run.waiting, run.cost, requests or 0


@pytest.fixture
async def stage(make: Factory, database: Database) -> Stage:
    version = await make.version()
    dataset = await make.dataset()
    [item] = await make.items(dataset["id"], 1)
    run_id = await make.run(version["id"], dataset["id"])
    async with database.session() as session:
        changed = {"models": [ENTRY], "status": RunStatus.running, "assertions": [ASSERTION]}
        await session.execute(update(EvalRun).where(EvalRun.id == run_id).values(changed))
        specification = await load_specification(session, run_id)
    assert specification is not None
    return Stage(database, specification, Item(UUID(item["id"]), item["input"], None, None))


async def test_a_cell_asks_once_also_when_its_job_is_begun_again(stage: Stage) -> None:
    held = await stage.job()
    assert await stage.keep(stage.row(held, "Kind?", "Short?")) is None
    assert await stage.counts() == (1, 1, 0.25, 2)
    # Its worker was killed before it knew; the next attempt has the cell in hand once more.
    assert await stage.keep(stage.row(await stage.again(held.job_id), "Kind?", "Short?")) is None
    assert await stage.counts() == (1, 1, 0.25, 2)


async def test_an_attempt_that_has_lost_its_job_asks_nobody(stage: Stage) -> None:
    held = await stage.job()
    await stage.again(held.job_id)
    with pytest.raises(LostJob):
        await stage.keep(stage.row(held, "Kind?"))
    assert await stage.counts() == (0, 0, 0.0, 0)


@pytest.mark.parametrize("status", [RunStatus.canceled, RunStatus.failed, RunStatus.completed])
async def test_for_a_run_that_has_ended_nobody_is_asked(stage: Stage, status: RunStatus) -> None:
    held = await stage.job()
    async with stage.database.session() as session:
        await session.execute(
            update(EvalRun).where(EvalRun.id == stage.specification.run_id).values(status=status)
        )
    with pytest.raises(LostJob):
        await stage.keep(stage.row(held, "Kind?"))
    assert await stage.counts() == (0, 0, 0.0, 0)


async def test_a_run_that_is_gone_asks_nobody(stage: Stage) -> None:
    held = await stage.job()
    async with stage.database.session() as session:
        await session.delete(await session.get_one(EvalRun, stage.specification.run_id))
    with pytest.raises(LostJob):
        await stage.keep(stage.row(held, "Kind?"))


async def test_a_write_shows_that_the_start_of_the_job_was_not_in_vain(stage: Stage) -> None:
    held = await stage.job()
    await stage.keep(stage.row(held, "Kind?"))
    async with stage.database.session() as session:
        job = await session.get_one(Job, held.job_id)
    assert (job.fruitless_starts, job.status) == (0, JobStatus.running)


async def test_a_worker_that_dies_while_it_asks_leaves_nothing(stage: Stage) -> None:
    class Killed(RequestedPeople):
        async def ask(
            self, session: AsyncSession, actor: Actor, questions: Sequence[CellQuestion]
        ) -> Sequence[UUID]:
            await super().ask(session, actor, questions)
            raise KeyboardInterrupt

    held = await stage.job()
    with pytest.raises(KeyboardInterrupt):
        await stage.keep(stage.row(held, "Kind?"), Killed())
    assert await stage.counts() == (0, 0, 0.0, 0)
    assert await stage.keep(stage.row(held, "Kind?")) is None
    assert await stage.counts() == (1, 1, 0.25, 1)


async def test_whom_nobody_finds_any_more_makes_the_cell_an_error(stage: Stage) -> None:
    held = await stage.job()
    asked = stage.row(held, "Kind?", assignees=("gone@example.com",))
    row = await stage.keep(asked)
    assert await stage.counts() == (0, 0, 0.0, 0)
    assert row.output == "Hi."
    assert row.error.startswith("not_decided: Nobody could be asked: There is no active user")
    assert row.cost == 0.25


async def test_what_is_too_long_for_people_is_cut(stage: Stage, database: Database) -> None:
    item = Item(stage.item.id, {"text": ["long " * 100_000]}, "\x01" * 300_000, None)
    stage.item = item
    held = await stage.job()
    assert await stage.keep(stage.row(held, "Kind? " * 20_000)) is None
    async with database.session() as session:
        request = await session.scalar(
            select(ConsultationRequest).where(
                ConsultationRequest.asker_metadata["run_id"].astext
                == str(stage.specification.run_id)
            )
        )
    assert request is not None
    assert request.context["input"].startswith('{"text":["long long')
    assert request.context["expected_output"].endswith("…")
    assert 30_000 * 6 < len(to_json(request.context["expected_output"])) <= 200_010
    assert request.description is not None
    assert len(request.description) == 50_000
