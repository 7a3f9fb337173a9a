"""Tasks outlive what comes in turn, at any moment, or to all at once: real kills."""

import asyncio
import contextlib
import random
import shutil
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from tests.agents.git.repositories import git, make_origin
from tests.agents.tasks.end_to_end.board import ENDED, Board, call, finish
from tests.agents.tasks.end_to_end.held_writes import HeldWrites, holding
from tests.agents.tasks.end_to_end.killing import (
    PATIENCE,
    World,
    check_whole,
    no_sandbox,
    until,
    until_ended,
)
from tests.processes import assay

from assay.core.config import Settings
from assay.core.database import Database
from assay.testing.script import Turn
from assay.testing.scripted_model import ScriptedModelServer

# Each kills workers over and over.
pytestmark = pytest.mark.timeout(900)

COUNT = "echo run >>first.txt"
WAIT = "touch /tmp/waiting; until test -e /tmp/go; do sleep 0.1; done"


LOSING = (
    call("run_command", command=COUNT),
    call("edit_file", path="src/app.py", old="hello", new="goodbye"),
    finish(),
)


def long_script(turns: int) -> Sequence[Turn]:
    """A model that counts each of its calls, so many, and changes nothing else."""
    return [
        *(call("run_command", f"c{n}", command=f"echo {n} >>runs.txt") for n in range(turns)),
        finish(),
    ]


async def check_counted(world: World, task_id: str, name: str, turns: int, kills: int) -> None:
    """What was counted: every call in its order, and at most one for each kill again."""
    await check_whole(world, task_id, name)
    task = await world.board.task(task_id)
    content = git("show", f"{task['git_branch']}:runs.txt", at=world.origin(name).path)
    counted = [int(line) for line in content.split()]
    assert sorted(counted) == counted, (name, counted)
    assert set(counted) == set(range(turns)), (name, counted)
    assert len(counted) - turns <= kills, (name, counted)
    for row in await world.board.operations(task_id):
        assert row["status"] in ("completed", "failed"), name


async def test_ten_kills_at_any_moment(world: World) -> None:
    kills, turns = 10, 12
    dice = random.Random(20261126)
    world.model.latency = (0.5, 0.3)
    tasks = {
        name: await world.begin(name, long_script(turns)) for name in ("any-a", "any-b", "any-c")
    }
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(world.worker()) for _ in range(2)]
        await until("work has begun", PATIENCE, lambda: _has_worked(world, tasks["any-a"]))
        for _ in range(kills):
            await asyncio.sleep(dice.uniform(0.2, 1.4))
            workers.pop(dice.randrange(len(workers))).kill()
            workers.append(stack.enter_context(world.worker()))
        killed_in_time = [name for name in tasks if not await _has_ended(world, tasks[name])]
        assert killed_in_time, "the kills came too late to matter"
        await until_ended(world, tasks, 90)
        await until("no sandbox is left", 20, lambda: no_sandbox(world))
    for name, task_id in tasks.items():
        await check_counted(world, task_id, name, turns, kills)


async def test_two_workers_share_tasks_and_one_is_killed(world: World) -> None:
    names = [f"shared-{number}" for number in range(8)]
    waiting = call("run_command", "wait", command=WAIT)
    tasks = {}
    for name in names:
        first, *others = long_script(3)
        tasks[name] = await world.begin(name, [first, waiting, *others])
    with world.worker(WORKER_TASKS="4") as killed, world.worker(WORKER_TASKS="4"):
        await until("all tasks wait", PATIENCE, lambda: _all_wait(world, len(names)))
        killed.kill()
        killed.wait()
        for folder in _sandbox_folders(world):
            (folder / "tmp" / "go").touch()
        with world.worker():
            await until_ended(world, tasks, PATIENCE)
            await until("no sandbox is left", 20, lambda: no_sandbox(world))
    for name, task_id in tasks.items():
        await check_counted(world, task_id, name, 3, 0)
    begun = [await _begun(world, task_id, "wait") for task_id in tasks.values()]
    assert Counter(begun) == {1: 4, 2: 4}


async def _begun(world: World, task_id: str, call_id: str) -> int:
    """How often a call was begun."""
    events = await world.board.events(task_id)
    calls = [event["payload"] for event in events if event["kind"] == "tool_call"]
    return [each["call_id"] for each in calls].count(call_id)


async def test_a_lost_sandbox_is_made_anew_by_whoever_is_left(world: World) -> None:
    task_id = await world.begin("lost", LOSING)
    world.model.held["lost"] = 1
    async with holding(world.board.database) as writes:
        with world.worker() as worker:
            await until("it is at work", PATIENCE, lambda: _all_held(world, ["lost"]))
            worker.kill()
            worker.wait()
        for folder in _sandbox_folders(world):
            await asyncio.to_thread(shutil.rmtree, folder)
        await writes.hold(
            UUID(task_id), "git_operations", {"operation_type": "clone", "status": "running"}
        )
        world.model.held.clear()
        with world.worker() as worker:
            await until("a new one is there", PATIENCE, lambda: _writing(writes))
            worker.kill()
            worker.wait()
        await writes.release()
        with world.worker():
            await until_ended(world, {"lost": task_id}, PATIENCE)
            await until("no sandbox is left", 20, lambda: no_sandbox(world))
    await check_whole(world, task_id, "lost")
    branch = (await world.board.task(task_id))["git_branch"]
    changed = git("show", f"{branch}:src/app.py", at=world.origin("lost").path)
    assert changed == "print('goodbye')"
    said = [each["content"] for each in world.model.last_request["messages"]]
    assert any("The sandbox was lost" in str(text) for text in said)


async def _writing(writes: HeldWrites) -> bool:
    return bool(await writes.reached())


def _sandbox_folders(world: World) -> list[Path]:
    return list((world.home / "sandboxes").iterdir())


async def _all_wait(world: World, number: int) -> bool:
    return (
        sum((folder / "tmp" / "waiting").exists() for folder in _sandbox_folders(world)) == number
    )


async def _all_held(world: World, names: Sequence[str]) -> bool:
    return set(names) <= world.model.reached


async def _has_ended(world: World, task_id: str) -> bool:
    return (await world.board.task(task_id))["status"] in ENDED


async def _has_worked(world: World, task_id: str) -> bool:
    return bool((await world.board.task(task_id))["steps"])


async def test_a_killed_server_goes_on_with_the_answer(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    origin = await asyncio.to_thread(make_origin, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    base_url = f"http://127.0.0.1:{port}"
    turns = [call("run_command", command=COUNT), call("ask_human", question="Well?"), finish()]
    async with (
        ScriptedModelServer(turns=turns) as model,
        httpx2.AsyncClient(base_url=base_url, timeout=30) as client,
    ):
        board = Board(client, own_database, settings)
        env = {
            "ASSAY_HOME": str(tmp_path / "assay"),
            "API_PORT": port,
            "DATABASE_URL": own_database.dsn,
            "SCRIPTED_BASE_URL": model.base_url,
        }
        with assay("up", **env) as server:
            await until("the server is there", 60, lambda: _answers(client))
            task_id = await board.start(origin.url)
            await board.until(task_id, "waiting")
            server.kill()
            server.wait()
        with assay("up", **env):
            await until("the server is there", 60, lambda: _answers(client))
            [request] = await board.ask("GET", "/requests", 200, params={"status": "pending"})
            body = {"value": "Go on"}
            await board.ask("POST", f"/requests/{request['id']}/respond", 200, json=body)
            task = await board.until(task_id)
            assert task["status"] == "completed", task["error"]
        assert git("show", f"{task['git_branch']}:first.txt", at=origin.path) == "run"
        told = [each["content"] for each in model.last_request["messages"]]
        assert "Go on" in told


async def _answers(client: httpx2.AsyncClient) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return (await client.get("/api/v1/agents")).status_code == 200
    return False
