"""How long a task takes from its start to the first question to its model, and fifty at once.

    python benchmarks/task_start.py

A repository of two hundred files lies on this disk; the server, with a worker in it, has its mirror
already. The time counts from before `start-task` is sent until the request reaches the model:
until then a sandbox is made, the repository cloned into it, the branch made, the machine and the
repository's rules looked at.
Beside it, in the same run, what a shell needs for the least of that: `git clone` from the disk.
Then fifty tasks are started at once, and the time counts until the last of them is pushed.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from assay.testing.script import Call, ChatRequest, Turn
from assay.testing.scripted_model import ScriptedModelServer
from installation import installation
from processes import server

BAR_MILLISECONDS = 500.0
ENDED = ("completed", "failed", "cancelled")
EDIT = {"path": "file_1.txt", "old": "line 0", "new": "changed"}
FINISH = {"summary": "Changed a line.", "tested": "Nothing to test."}


@dataclass
class Clock:
    """When the first question about each task reached the model, by the task's title."""

    reached: dict[str, float] = field(default_factory=dict)

    def turn(self, request: ChatRequest) -> Turn:
        """The first turn of a task."""
        moment = time.perf_counter()
        title = str(request["messages"][1]["content"]).partition("\n")[0].removeprefix("The task: ")
        self.reached[title] = moment
        return Turn(calls=[Call("edit_file", EDIT)])


class Board:
    """The server, as somebody uses it who starts tasks."""

    def __init__(self, session: aiohttp.ClientSession, url: str, repository: Path) -> None:
        """Call the server at `url`, about a repository on this disk."""
        self._session = session
        self._url = f"{url}/api/v1"
        self._repository = repository
        self._agent = ""

    async def prepare(self) -> None:
        """Make the agent."""
        new = {"name": "Ada", "role": "developer", "model": "scripted/coder"}
        self._agent = (await self._call("POST", "/agents", new))["id"]

    async def start(self, title: str) -> str:
        """Start a task; gives its id."""
        new = {"title": title, "repo_url": f"file://{self._repository}"}
        return str((await self._call("POST", f"/agents/{self._agent}/start-task", new))["id"])

    async def ended(self, task_id: str) -> None:
        """Wait until a task is completed."""
        while True:
            task = await self._call("GET", f"/tasks/{task_id}")
            if task["status"] == "completed":
                return
            if task["status"] in ENDED:
                raise RuntimeError(f"the task is {task['status']}: {task['error']}")
            await asyncio.sleep(0.1)

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        async with self._session.request(method, self._url + path, json=body) as response:
            row: dict[str, Any] = await response.json()
            if not response.ok:
                raise RuntimeError(f"{response.status} {row}")
            return row


async def one_by_one(board: Board, clock: Clock, tasks: int) -> list[float]:
    """Milliseconds from the start to the model, of tasks one after another."""
    times = []
    for number in range(tasks):
        title = f"Alone {number}"
        sent = time.perf_counter()
        task_id = await board.start(title)
        await board.ended(task_id)
        times.append(1000 * (clock.reached[title] - sent))
    return times


async def at_once(board: Board, tasks: int) -> float:
    """Seconds until so many tasks that are started together are all pushed."""
    began = time.perf_counter()
    ids = await asyncio.gather(*(board.start(f"Together {each}") for each in range(tasks)))
    await asyncio.gather(*(board.ended(each) for each in ids))
    return time.perf_counter() - began


async def measure(
    env: Mapping[str, str], repository: Path, arguments: argparse.Namespace
) -> tuple[list[float], float]:
    """The times of tasks one by one, and the seconds of many together."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        model = ScriptedModelServer(turns=[clock.turn, Turn(calls=[Call("finish", FINISH)])])
        await stack.enter_async_context(model)
        given = {**env, "SERVER_WORKERS": "1", "SCRIPTED_BASE_URL": model.base_url}
        served = await asyncio.to_thread(stack.enter_context, server(given))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        board = Board(session, served.url, repository)
        await board.prepare()
        # The first ones fill the mirror, and load what only tasks need.
        await one_by_one(board, clock, 3)
        times = await one_by_one(board, clock, arguments.tasks)
        return times, await at_once(board, arguments.together)


def make_repository(folder: Path, files: int) -> Path:
    """A bare repository with so many files of ten lines."""
    work, bare = folder / "work", folder / "origin.git"
    work.mkdir()
    for number in range(files):
        lines = (f"line {line} of file {number}\n" for line in range(10))
        (work / f"file_{number}.txt").write_text("".join(lines))
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    for command in (
        ("init", "-q", "-b", "main"),
        ("add", "--all"),
        (*who, "commit", "-q", "-m", "Begin"),
        ("clone", "-q", "--bare", ".", str(bare)),
    ):
        subprocess.run(("git", *command), cwd=work, check=True)
    return bare


def bare_clones(repository: Path, folder: Path, clones: int) -> list[float]:
    """Milliseconds of `git clone` over git's own protocol, as between two machines."""
    times = []
    for number in range(clones):
        began = time.perf_counter()
        source = f"file://{repository}"
        subprocess.run(("git", "clone", "-q", source, str(folder / f"{number}")), check=True)
        times.append(1000 * (time.perf_counter() - began))
    return times


def print_table(
    times: Sequence[float], bare: Sequence[float], seconds: float, arguments: argparse.Namespace
) -> None:
    """What was measured."""
    table = Table(title=f"{arguments.files:,} files, warm mirror")
    for name in ("", "p50 ms", "p95 ms"):
        table.add_column(name, justify="right" if name else "left")
    for name, each in (("start-task to the model", times), ("git clone alone", bare)):
        cuts = quantiles(each, n=20)
        table.add_row(name, f"{median(each):.0f}", f"{cuts[-1]:.0f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"{median(times) / median(bare):.1f} times a clone")
    console.print(f"{arguments.together} tasks at once: all pushed after {seconds:.1f} s")


def main() -> int:
    """Measure, print, and say whether the bar is met."""
    parser = argparse.ArgumentParser(description="Time from start-task to the first model call.")
    parser.add_argument("--tasks", type=int, default=30, help="one after another")
    parser.add_argument("--together", type=int, default=50, help="at once")
    parser.add_argument("--files", type=int, default=200, help="in the repository")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder, installation() as installed:
        repository = make_repository(Path(folder), arguments.files)
        bare = bare_clones(repository, Path(folder), arguments.tasks)
        times, seconds = asyncio.run(measure(installed.env, repository, arguments))
    print_table(times, bare, seconds, arguments)
    if median(times) >= BAR_MILLISECONDS:
        print(f"not met: {median(times):.0f} ms at the median")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
