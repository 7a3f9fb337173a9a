"""Many tasks at once on one worker."""

import asyncio

import pytest
from sqlalchemy import select
from tests.agents.git.repositories import Origin, git
from tests.agents.tasks.end_to_end.board import ENDED, Board, call, finish

from assay.jobs.models import Job
from assay.testing.scripted_model import ScriptedModelServer

TASKS = 50


@pytest.mark.timeout(240)
async def test_fifty_tasks_at_once_all_complete(
    board: Board, model: ScriptedModelServer, origin: Origin
) -> None:
    model.turns = [
        call("read_file", path="src/app.py"),
        call("run_command", command="python3 src/app.py"),
        call("edit_file", path="src/app.py", old="hello", new="goodbye"),
        finish(),
    ]
    model.latency = 0.2
    agent = await board.agent()
    for number in range(TASKS):
        await board.start(origin.url, f"Task {number}", agent_id=agent["id"])
    at_once = 0
    async with asyncio.timeout(200):
        while True:
            tasks = await board.ask("GET", "/tasks", 200, params={"limit": 100})
            at_once = max(at_once, sum(each["steps"] > 0 for each in tasks))
            if all(each["status"] in ENDED for each in tasks):
                break
            await asyncio.sleep(0.3)
    assert {each["status"] for each in tasks} == {"completed"}, [each["error"] for each in tasks]
    branches = git("for-each-ref", "--format=%(refname:short)", "refs/heads/assay", at=origin.path)
    assert sorted(branches.split()) == sorted(each["git_branch"] for each in tasks)
    assert len(tasks) == TASKS
    assert at_once > 0


async def test_tasks_of_one_agent_that_end_together_do_not_wait_for_each_other(
    board: Board, origin: Origin
) -> None:
    agent = await board.agent()
    titles = [f"Task {number}" for number in range(16)]
    ids = await asyncio.gather(
        *(board.start(origin.url, each, agent["id"], base_branch="missing") for each in titles)
    )
    for task_id in ids:
        assert "'missing'" in (await board.until(task_id))["error"]
    async with board.database.reading() as session:
        runs = await session.scalars(select(Job).where(Job.job_type == "task.run"))
        assert [job.attempt for job in runs] == [1] * len(titles)
