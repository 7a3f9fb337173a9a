"""Runs outlive their workers, the server and PostgreSQL: real processes, really killed."""

import asyncio
import contextlib
import random
import shlex
import signal
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import func, select
from tests.processes import assay

from assay.core.database import Database
from assay.core.embedded import get_server, pgexec
from assay.gateway.price import Rate
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.projects.models import Project, UseCase
from assay.playground.prompts.models import Prompt, PromptType, PromptVersion
from assay.playground.runs import service, starting
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus
from assay.playground.runs.schemas import EvalRunCreate, ModelEntry
from assay.testing.scripted_process import ScriptedProcess, run_scripted_server
from assay.wiring import RequestedPeople


async def make_run(database: Database, cells: int, concurrency: int, **more: Any) -> UUID:
    """A run of so many cells, each with a word of its own."""
    async with database.session() as session:
        project = Project(name="Survival")
        session.add(project)
        await session.flush()
        use_case = UseCase(project_id=project.id, name="Words")
        session.add(use_case)
        await session.flush()
        prompt = Prompt(use_case_id=use_case.id, name="Say")
        dataset = Dataset(use_case_id=use_case.id, name="Words")
        session.add_all([prompt, dataset])
        await session.flush()
        version = PromptVersion(
            prompt_id=prompt.id,
            version_number=1,
            type=PromptType.text,
            template_text="Say {{word}}",
        )
        session.add(version)
        session.add_all(
            DatasetItem(dataset_id=dataset.id, input={"word": f"word-{number}"})
            for number in range(cells)
        )
        await session.flush()
        body = EvalRunCreate(
            prompt_version_id=version.id,
            dataset_id=dataset.id,
            models=[ModelEntry(model="openai/scripted")],
            concurrency=concurrency,
            **more,
        )
        run = await starting.create_run(
            session,
            LOCAL_ACTOR,
            _Known(),  # type: ignore[arg-type]  # all that is asked of it
            RequestedPeople(),
            body,
        )
        return run.id


class _Known:
    """A gateway that knows every model: the workers have the real one."""

    def check(self, _name: str) -> None:
        return None

    async def rate(self, _name: str) -> Rate:
        return lambda _usage: None


async def ended(database: Database, run_id: UUID, seconds: float) -> EvalRun:
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(OSError, Exception):
                async with database.session() as session:
                    run = await service.get_run(session, LOCAL_ACTOR, run_id)
                if not run.status.is_active:
                    return run
            await asyncio.sleep(0.1)


async def completed(database: Database, run_id: UUID) -> int:
    async with database.session() as session:
        return (await service.get_run(session, LOCAL_ACTOR, run_id)).completed


async def stored(database: Database, run_id: UUID) -> int:
    """Rows of the run; a cell cannot have two, the key forbids it."""
    async with database.session() as session:
        return (
            await session.scalar(select(func.count()).where(EvalResult.eval_run_id == run_id)) or 0
        )


def asked_again(model: ScriptedProcess) -> int:
    """Requests beyond the first for each cell."""
    asked: dict[str, int] = model.stats()["asked"]
    return sum(times - 1 for times in asked.values())


@pytest.mark.timeout(240)
async def test_ten_kills_of_workers_cost_only_the_cells_in_hand(own_database: Database) -> None:
    cells, concurrency, kills, latency = 4000, 32, 10, 0.2
    # In hand is what was asked and is not stored yet: in flight, or waiting for the next write.
    in_hand = concurrency + int(0.4 * concurrency / latency)
    dice = random.Random(20261123)
    with contextlib.ExitStack() as stack, run_scripted_server(latency=latency) as model:
        env = {
            "DATABASE_URL": own_database.dsn,
            "OPENAI_BASE_URL": model.base_url,
            "WORKER_MAX_IN_FLIGHT": str(concurrency),
        }
        workers = [stack.enter_context(assay("worker", **env)) for _ in range(2)]
        run_id = await make_run(own_database, cells, concurrency)
        for _ in range(kills):
            before = await completed(own_database, run_id)
            async with asyncio.timeout(30):
                while await completed(own_database, run_id) == before:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(dice.uniform(0, 0.5))
            workers.pop(dice.randrange(len(workers))).kill()
            workers.append(stack.enter_context(assay("worker", **env)))
        assert await completed(own_database, run_id) < cells, "the kills came too late to matter"
        done = await completed(own_database, run_id)
        last_kill = time.monotonic()
        run = await ended(own_database, run_id, seconds=90)
        needed = time.monotonic() - last_kill
        most_in_flight, again = model.stats()["most_in_flight"], asked_again(model)
    assert run.status is RunStatus.completed
    assert run.completed == run.passed == cells
    assert await stored(own_database, run_id) == cells
    # What was left to ask takes its time; beyond that the takeover has 30 seconds.
    assert needed - (cells - done) * latency / concurrency < 30
    assert most_in_flight <= concurrency
    assert again <= kills * in_hand


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for an embedded PostgreSQL, which runs as another user where this is root."""
    with tempfile.TemporaryDirectory(prefix="assay-test-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        yield home
        # Restarted by a stranger, it is not known to the server any more.
        if (home / "postgresql" / "postmaster.pid").exists():
            _pg_ctl(home, "-m", "immediate", "stop")


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.timeout(240)
async def test_a_killed_server_and_a_restarted_postgresql(home: Path) -> None:
    cells, concurrency, latency = 1500, 16, 0.15
    port = _free_port()
    base = f"http://127.0.0.1:{port}/api/v1"
    with run_scripted_server(latency=latency) as model:
        env = {
            "ASSAY_HOME": str(home),
            "API_PORT": port,
            "OPENAI_BASE_URL": model.base_url,
            "DATABASE_URL": "",
        }
        async with httpx2.AsyncClient(base_url=base, timeout=30) as client:
            with assay("up", **env) as server:
                await _answers(client)
                run_id = await _make_run_over_http(client, cells, concurrency)
                await _progress(client, run_id, 100)
                server.kill()
            with assay("up", **env) as server:
                await _answers(client)
                await _progress(client, run_id, 400)
                await asyncio.to_thread(_restart_postgresql, home)
                run = await _ended_over_http(client, run_id, seconds=90)
                results = (await client.get(f"/eval-runs/{run_id}/summary")).json()
                server.send_signal(signal.SIGTERM)
                assert server.wait(30) == 0
        assert run["status"] == "completed"
        assert run["progress"]["completed"] == results["overall"]["cells"] == cells
        assert model.stats()["most_in_flight"] <= concurrency
        # Only the kill loses what was in hand; results wait for PostgreSQL to come back.
        assert asked_again(model) <= concurrency + int(0.4 * concurrency / latency)


async def _answers(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get("/projects")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


async def _make_run_over_http(client: httpx2.AsyncClient, cells: int, concurrency: int) -> str:
    async def post(path: str, body: dict[str, Any]) -> Any:
        response = await client.post(path, json=body)
        assert response.is_success, response.text
        return response.json()

    project = await post("/projects", {"name": "Survival"})
    use_case = await post(f"/projects/{project['id']}/use-cases", {"name": "Words"})
    prompt = await post(f"/use-cases/{use_case['id']}/prompts", {"name": "Say"})
    version = await post(
        f"/prompts/{prompt['id']}/versions", {"type": "text", "template_text": "Say {{word}}"}
    )
    dataset = await post(f"/use-cases/{use_case['id']}/datasets", {"name": "Words"})
    for start in range(0, cells, 500):
        items = [{"input": {"word": f"word-{n}"}} for n in range(start, start + 500)]
        await post(f"/datasets/{dataset['id']}/items", {"items": items})
    run = await post(
        "/eval-runs",
        {
            "prompt_version_id": version["id"],
            "dataset_id": dataset["id"],
            "models": [{"model": "openai/scripted"}],
            "concurrency": concurrency,
        },
    )
    return str(run["id"])


async def _read(client: httpx2.AsyncClient, run_id: str) -> Any:
    with contextlib.suppress(httpx2.TransportError):
        response = await client.get(f"/eval-runs/{run_id}")
        if response.is_success:
            return response.json()
        assert response.status_code == 503, response.text
    return None


async def _progress(client: httpx2.AsyncClient, run_id: str, cells: int) -> None:
    async with asyncio.timeout(60):
        while True:
            run = await _read(client, run_id)
            if run and run["progress"]["completed"] >= cells:
                assert run["status"] == "running"
                return
            await asyncio.sleep(0.05)


async def _ended_over_http(client: httpx2.AsyncClient, run_id: str, seconds: float) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            run = await _read(client, run_id)
            if run and run["status"] not in ("pending", "running"):
                return run
            await asyncio.sleep(0.1)


def _pg_ctl(home: Path, *arguments: str) -> None:
    data = home / "postgresql"
    server = get_server(data, cleanup_mode=None, start=False)
    command = ("-w", "-D", str(data), "-l", str(data / "log"), *arguments)
    pgexec("pg_ctl", command, bin_path=server.bin_path, user=server.system_user)


def _restart_postgresql(home: Path) -> None:
    """Stop at once, as in a crash, and start again a few seconds later."""
    options = shlex.split((home / "postgresql" / "postmaster.opts").read_text())
    _pg_ctl(home, "-m", "immediate", "stop")
    time.sleep(3)
    folder = shlex.quote(options[options.index("-k") + 1])
    _pg_ctl(home, "-o", f'-h "" -k {folder}', "start")


@pytest.mark.timeout(180)
async def test_two_workers_share_a_run(
    new_database_dsn: Callable[[], Awaitable[str]],
) -> None:
    """A worker alone may have 16 in flight of the 32 that the run allows; two have them all."""
    cells = 320
    with run_scripted_server(latency=0.3) as model:
        for count in (1, 2):
            model.reset()
            database = Database(await new_database_dsn())
            with contextlib.ExitStack() as stack:
                for _ in range(count):
                    stack.enter_context(
                        assay(
                            "worker",
                            DATABASE_URL=database.dsn,
                            OPENAI_BASE_URL=model.base_url,
                            WORKER_MAX_IN_FLIGHT="16",
                        )
                    )
                await _workers_ready(database, count)
                run_id = await make_run(database, cells, 32)
                await ended(database, run_id, seconds=90)
            assert await stored(database, run_id) == cells
            await database.dispose()
            assert asked_again(model) == 0, "each cell is asked once, by one of them"
            assert model.stats()["most_in_flight"] == 16 * count


async def _workers_ready(database: Database, count: int) -> None:
    """Until so many workers listen for jobs."""
    listening = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ILIKE 'LISTEN%'"
    )
    connection = await database.connect()
    async with asyncio.timeout(60):
        while await connection.fetchval(listening) < count:
            await asyncio.sleep(0.05)
    await connection.close()
