import asyncio
from uuid import UUID, uuid4

import pytest

from assay.cli.follow import Standing, follow
from assay.core.database import Database
from assay.core.errors import SetupError
from assay.core.ids import new_id
from assay.playground.datasets.models import Dataset
from assay.playground.projects.models import Project, UseCase
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.runs.models import EvalRun


class Silent:
    def __init__(self) -> None:
        self.said: list[str] = []

    def show(self, standing: Standing, pace: float) -> None:
        pass

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
async def active_run(database: Database) -> UUID:
    """A run that nobody works on."""
    async with database.session() as session:
        project = Project(id=new_id(), name="p")
        use_case = UseCase(id=new_id(), project_id=project.id, name="u")
        dataset = Dataset(id=new_id(), use_case_id=use_case.id, name="d")
        prompt = Prompt(id=new_id(), use_case_id=use_case.id, name="p")
        version = PromptVersion(
            id=new_id(), prompt_id=prompt.id, version_number=1, type="text", template_text="x"
        )
        for row in (project, use_case, dataset, prompt, version):
            session.add(row)
            await session.flush()
        run = EvalRun(
            project_id=project.id,
            prompt_version_id=version.id,
            dataset_id=dataset.id,
            dataset_version=0,
            models=[],
            total=1,
        )
        session.add(run)
        await session.flush()
        return run.id


async def test_no_run_is_over_at_once(database: Database) -> None:
    assert await follow(database, [uuid4()], Silent(), asyncio.Event())


async def test_an_interrupt_ends_it(database: Database, active_run: UUID) -> None:
    interrupted = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, interrupted.set)
    assert not await follow(database, [active_run], Silent(), interrupted)


async def test_a_worker_that_ends_too_early_is_an_error(
    database: Database, active_run: UUID
) -> None:

    async def failing() -> None:
        raise RuntimeError("the worker's own error")

    for work, error in ((failing(), RuntimeError), (asyncio.sleep(0), SetupError)):
        worker = asyncio.create_task(work)
        with pytest.raises(error):
            await follow(database, [active_run], Silent(), asyncio.Event(), worker)


async def test_a_database_that_is_away_is_waited_for(unused_tcp_port: int) -> None:
    database = Database(f"postgresql://x@127.0.0.1:{unused_tcp_port}/x")
    display = Silent()
    interrupted = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, interrupted.set)
    assert not await follow(database, [uuid4()], display, interrupted)
    assert display.said == ["The database does not answer; waiting for it."]
    await database.dispose()
