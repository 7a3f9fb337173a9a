"""Looks at what the processes of a sandbox use, some times a second.

The kernel holds the number of processes and the size of a file by itself. What all processes hold
together, in memory and on disk, is counted here, at first roughly and cheaply: too much, never too
little. Only where that is over the limit is it counted with care.
"""

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from pathlib import Path

import psutil

from assay.agents.sandboxes.providers.local.process import Confined
from assay.agents.sandboxes.providers.local.processes import Processes
from assay.agents.sandboxes.providers.types import SandboxLimits

BETWEEN = 0.1
"""Seconds between two looks."""

GONE = "gone"
"""What ends a command whose sandbox was destroyed."""

SMALLEST_FILE = 4096
"""What a file counts for at least, in bytes: a file system runs out of names for files too."""

SPARE = 256 * 1024**2
"""What is left of the machine's memory and disk, in bytes, however a sandbox uses them up."""

_OFTEN_ENOUGH = 10.0
_BORNE = 1.5

Measure = Callable[[], Awaitable[tuple[int, int]]]
"""Gives the bytes and the number of files that a sandbox has on disk."""


class Look(Enum):
    """When files are counted, beside when it may be that they are too many."""

    regularly = auto()
    once = auto()
    if_suspected = auto()


class DiskWatch:
    """How much of the disk a sandbox uses, for all of its commands.

    The room that is left on the whole file system says when a sandbox cannot have used more than
    it may; only else are its files counted.
    """

    def __init__(self, folder: Path, limit: int, measure: Measure) -> None:
        """Watch `folder`, which may hold `limit` bytes, and which `measure` counts."""
        self._folder = folder
        self._limit = limit
        self._measure = measure
        self._floor = 0
        self._used = (limit, 0)
        self._left = (0, 0)
        self._due = 0.0
        self._spare = -1
        self._counting = asyncio.Lock()

    async def over(self, look: Look = Look.regularly) -> bool:
        """Whether the sandbox uses more than it may.

        Once it does, what it uses then is borne, so that the next command can remove some of it.

        Raises:
            FileNotFoundError: the folder is gone.
        """
        left = await asyncio.to_thread(self._room)
        if self._spare < 0:
            self._spare = _spare(left[0])
        elif left[0] < self._spare:
            self._spare = _spare(left[0])
            return True
        due = {Look.regularly: self._due, Look.once: 0.0, Look.if_suspected: math.inf}[look]
        due = due if self._due else 0.0
        if time.monotonic() < due and not self._may_be_over(left):
            return False
        async with self._counting:
            started = time.monotonic()
            before = await asyncio.to_thread(self._room)
            self._used = await self._measure()
            self._left = before
            took = time.monotonic() - started
            self._due = time.monotonic() + max(_OFTEN_ENOUGH, 20 * took)
        over = self._is_over(*self._used)
        most = max(self._used[0], self._used[1] * SMALLEST_FILE)
        self._floor = min(most, int(_BORNE * self._limit)) if over else min(self._floor, most)
        return over

    def is_full(self) -> bool:
        """Whether there was more than there may be when it was counted last, also where borne."""
        return max(self._used[0], self._used[1] * SMALLEST_FILE) > self._limit

    def start_empty(self) -> None:
        """Nothing is in the folder yet: what is taken of the file system from now on counts."""
        self._used, self._left = (0, 0), self._room()
        self._due = time.monotonic() + _OFTEN_ENOUGH

    def begin(self) -> None:
        """A command begins: what the machine has left now is no fault of it."""
        self._spare = -1

    def _may_be_over(self, left: tuple[int, int]) -> bool:
        grown = (max(0, then - now) for then, now in zip(self._left, left, strict=True))
        used = [was + more for was, more in zip(self._used, grown, strict=True)]
        return self._is_over(*used)

    def _is_over(self, size: int, files: int) -> bool:
        return max(size, files * SMALLEST_FILE) > max(self._limit, self._floor)

    def _room(self) -> tuple[int, int]:
        found = os.statvfs(self._folder)
        return found.f_bfree * found.f_frsize, found.f_ffree


async def watch(
    running: Confined, limits: SandboxLimits, disk: DiskWatch, together: set[Processes]
) -> str:
    """Look at a command until the sandbox is over a limit.

    Args:
        running: the command.
        limits: what the sandbox may use.
        disk: the watch of its files.
        together: the processes of all commands that run in it; this one's are added meanwhile.

    Returns:
        Which limit: memory, processes or disk; or GONE.
    """
    mine, spare = Processes(running), _spare(psutil.virtual_memory().available)
    disk.begin()
    together.add(mine)
    disk_watch = asyncio.create_task(_watch_disk(disk))
    try:
        while not disk_watch.done():
            found = await asyncio.to_thread(_look, mine, tuple(together), limits, spare)
            if found is not None:
                return found
            await asyncio.wait({disk_watch}, timeout=BETWEEN)
        return disk_watch.result()
    finally:
        together.discard(mine)
        disk_watch.cancel()
        await asyncio.wait({disk_watch})
        mine.close()


def _look(
    mine: Processes, together: tuple[Processes, ...], limits: SandboxLimits, spare: int
) -> str | None:
    seen = {each: each.look() for each in together}
    # Who has nothing running yet is not to blame.
    if not seen[mine][0]:
        return None
    if sum(number for number, _ in seen.values()) >= limits.processes:
        return "processes"
    if psutil.virtual_memory().available < spare:
        return "memory"
    if sum(memory for _, memory in seen.values()) <= limits.memory_bytes:
        return None
    held = sum(each.memory() for each in together)
    return "memory" if held > limits.memory_bytes else None


def _spare(left: int) -> int:
    """How much has to be left where there is `left`; of a machine that is full, half of that."""
    return min(SPARE, left // 2)


async def _watch_disk(disk: DiskWatch) -> str:
    try:
        while not await disk.over():  # noqa: ASYNC110  # nobody tells of a disk that fills
            await asyncio.sleep(BETWEEN)
    except FileNotFoundError:
        return GONE
    return "disk"
