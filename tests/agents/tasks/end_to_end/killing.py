"""A server, workers in processes of their own, a forge and a model, and what is left behind."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr
from tests.agents.git.repositories import Origin, git
from tests.agents.git.smart_http import TOKEN
from tests.agents.tasks.end_to_end.board import ENDED, Board, opened
from tests.agents.tasks.end_to_end.forge import Forge, forge_at, pushes
from tests.processes import assay

from assay.core.config import Settings
from assay.core.database import Database
from assay.testing.script import Conversation
from assay.testing.scripted_model import ScriptedModelServer

PATIENCE = 200.0
"""Seconds for what takes a few, on a machine that has much else to do."""

_THERE = ("creating", "running", "paused")


@dataclass(kw_only=True)
class Model(ScriptedModelServer):
    """A model that keeps some waiting: by what their question holds, for which answer."""

    held: dict[str, int] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)

    def delay(self) -> float:
        """For ever, for who is kept waiting, and is cut off by being killed."""
        messages = self.last_request["messages"]
        done = sum(message["role"] == "assistant" for message in messages)
        for marker, turn in self.held.items():
            if turn == done and f"Task {marker}" in str(messages):
                self.reached.add(marker)
                return 3600.0
        return super().delay()


@dataclass(frozen=True)
class World:
    """Somebody's board, the repositories, and the model; and the workers that come and go."""

    board: Board
    forge: Forge
    model: Model
    home: Path

    @contextlib.contextmanager
    def worker(self, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker in a process of its own."""
        env = {
            "DATABASE_URL": self.board.database.dsn,
            "ASSAY_HOME": str(self.home),
            "DATABASE_POOL_SIZE": "60",
            **self.forge.env,
            **more,
        }
        with assay("worker", **env) as process:
            yield process

    async def begin(self, name: str, turns: Conversation) -> str:
        """A task of an agent of its own, with a repository of its own; gives its id."""
        self.forge.repository(name)
        assert isinstance(self.model.turns, dict)
        self.model.turns[f"Task {name} "] = turns
        title = f"Task {name} in full"
        return await self.board.start(self.forge.address(name), title=title)

    def origin(self, name: str) -> Origin:
        """The repository of a task."""
        folder = self.forge.root / name
        return Origin(folder / "origin.git", folder / "work")

    def left(self) -> list[str]:
        """What is left of sandboxes on the disk."""
        return [path.name for path in (self.home / "sandboxes").iterdir()]

    def inside(self) -> list[int]:
        """The processes that are in a sandbox, or on their way into one."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{self.home}/sandboxes" in (folder / "mountinfo").read_text():
                    found.append(int(folder.name))
        return found


@asynccontextmanager
async def open_world(
    settings: Settings, database: Database, home: Path, model: Model
) -> AsyncIterator[World]:
    """A server without a worker in it; the model is there, and known by its address."""
    async with forge_at(home / "forge") as forge:
        env = forge.env
        given = {
            "github_url": env["GITHUB_URL"],
            "github_api_url": env["GITHUB_API_URL"],
            "github_token": SecretStr(TOKEN),
            "git_allowed_networks": (env["GIT_ALLOWED_NETWORKS"],),
        }
        async with opened(settings, database, home, server_workers=0, **given) as board:
            yield World(board, forge, model, home / "assay")


async def until(what: str, seconds: float, fulfilled: Callable[[], Awaitable[bool]]) -> None:
    """Until an asynchronous condition holds."""
    try:
        async with asyncio.timeout(seconds):
            while not await fulfilled():  # what is watched tells nobody
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


async def until_ended(world: World, tasks: Mapping[str, str], seconds: float) -> None:
    """Until all of these tasks have ended."""
    going = dict(tasks)

    async def ended() -> bool:
        for name, task_id in tuple(going.items()):
            if (await world.board.task(task_id))["status"] in ENDED:
                del going[name]
        return not going

    try:
        await until("all tasks have ended", seconds, ended)
    except AssertionError:
        states = [await state_of(world, task_id) for task_id in going.values()]
        raise AssertionError("\n".join(f"not ended: {state}" for state in states)) from None


async def state_of(world: World, task_id: str) -> str:
    """Where a task stands, for who waits in vain."""
    task = await world.board.task(task_id)
    operations = [
        (row["operation_type"], row["status"]) for row in await world.board.operations(task_id)
    ]
    return f"{task['title']}: {task['status']}, {task['step']}, {task['error']}, {operations}"


async def nobody_inside(world: World) -> bool:
    """Whether nothing runs in a sandbox, or on its way into one."""
    return not await asyncio.to_thread(world.inside)


async def no_sandbox(world: World) -> bool:
    """Whether no row says that a sandbox may be there."""
    return not [row for row in await world.board.sandboxes() if row["status"] in _THERE]


async def check_whole(world: World, task_id: str, name: str) -> None:
    """One branch with one commit, pushed once; one pull request; all events; no sandbox."""
    task, origin = await world.board.task(task_id), world.origin(name)
    assert task["status"] == "completed", (name, task["error"])
    branch, sha = task["git_branch"], origin.sha(task["git_branch"])
    branches = git("for-each-ref", "--format=%(refname:short)", "refs/heads", at=origin.path)
    assert sorted(branches.split()) == sorted(["main", branch]), name
    assert git("rev-list", "--count", f"main..{branch}", at=origin.path) == "1", name
    assert pushes(origin) == [f"{'0' * 40} {sha} refs/heads/{branch}"], name
    [pull] = world.forge.pulls[name]
    assert pull["head"] == f"{name}:{branch}"
    assert task["pull_request_url"] == pull["html_url"]
    events = await world.board.events(task_id)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1)), name
    assert not await asyncio.to_thread(world.left), name
    assert not await asyncio.to_thread(world.inside), name
