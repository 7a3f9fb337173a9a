"""People are asked once about each cell, however often the workers are killed."""

import asyncio
import contextlib
import random

import pytest
from sqlalchemy import func, select
from tests.playground.runs.test_survival import ended, make_run, stored
from tests.playground.runs.waiting.answering import approving
from tests.processes import assay

from assay.consults.requests.models import ConsultationRequest, RequestStatus
from assay.core.database import Database
from assay.playground.runs.models import EvalRun, RunStatus
from assay.testing.scripted_process import run_scripted_server


@pytest.mark.timeout(240)
async def test_kills_of_workers_ask_nobody_twice_and_lose_no_answer(
    own_database: Database,
) -> None:
    cells, kills = 250, 6
    dice = random.Random(20261126)
    human = {"type": "human", "value": "Is {{ word }} kind?"}
    with contextlib.ExitStack() as stack, run_scripted_server(latency=0.05) as model:
        env = {
            "DATABASE_URL": own_database.dsn,
            "OPENAI_BASE_URL": model.base_url,
            "WORKER_MAX_IN_FLIGHT": "8",
        }
        workers = [stack.enter_context(assay("worker", **env)) for _ in range(2)]
        run_id = await make_run(own_database, cells, 8, assertions=[human])
        await _until_asked(own_database, 20)
        async with approving(own_database):
            for _ in range(kills):
                await _until_asked(own_database, await _asked(own_database) + 10, cells)
                await asyncio.sleep(dice.uniform(0, 0.3))
                workers.pop(dice.randrange(len(workers))).kill()
                workers.append(stack.enter_context(assay("worker", **env)))
            run = await ended(own_database, run_id, seconds=150)
    assert run.status is RunStatus.completed
    assert (run.completed, run.passed, run.waiting, run.errors) == (cells, cells, 0, 0)
    assert await stored(own_database, run_id) == cells
    assert await _asked(own_database) == cells
    async with own_database.session() as session:
        answered = ConsultationRequest.status == RequestStatus.answered
        decided = await session.scalar(select(func.count()).where(answered))
        left = await session.scalar(select(EvalRun.shards_left).where(EvalRun.id == run_id))
    assert (decided, left) == (cells, 0)


async def _asked(database: Database) -> int:
    async with database.session() as session:
        return await session.scalar(select(func.count()).select_from(ConsultationRequest)) or 0


async def _until_asked(database: Database, count: int, most: int = 1_000_000) -> None:
    async with asyncio.timeout(60):
        while await _asked(database) < min(count, most):
            await asyncio.sleep(0.05)
