"""One sandbox on this machine: a folder, and bubblewrap for each command in it."""

import asyncio
import contextlib
import posixpath
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from assay.agents.sandboxes.providers.cutting import CutOutput
from assay.agents.sandboxes.providers.local.bubblewrap import FOLDERS, Call, call
from assay.agents.sandboxes.providers.local.leftovers import kill_within
from assay.agents.sandboxes.providers.local.network import ENVIRONMENT
from assay.agents.sandboxes.providers.local.process import Confined, start
from assay.agents.sandboxes.providers.local.processes import Processes
from assay.agents.sandboxes.providers.local.proxy import Proxy
from assay.agents.sandboxes.providers.local.watch import GONE, DiskWatch, Look, watch
from assay.agents.sandboxes.providers.types import (
    WORK,
    Command,
    NoSuchFile,
    Ran,
    SandboxGone,
    SandboxLimit,
    SandboxLimits,
    SandboxUnusable,
    TakeOutput,
)
from assay.core.errors import Invalid
from assay.core.programs import Program

_PIECE = 64 * 1024
_FLOOD = 64 * 1024**2
_FLOOD_PAUSE = 0.001
"""Seconds between two pieces of an output that nobody will ever read whole.

Else a program that only writes would take as much of the server's processor as of its own."""
_KILLED = 128 + 9
_FILE_TOO_LARGE = 128 + 25
_FILE_SECONDS = 120.0
_NO_FILE = 3
_READ = f'[ -f "$2" ] || exit {_NO_FILE}; exec head -c "$1" -- "$2"'
_WRITE = (
    'if [ -e "$1" ] && [ ! -f "$1" ]; then echo "it is there, and no file" >&2; exit 1; fi; '
    'mkdir -p -- "$(dirname -- "$1")" && cat >"$1"'
)
_COUNT = 'du -sxc -B1 -- "$@" | tail -n 1; du -sxc --inodes -- "$@" | tail -n 1'


class LocalSandbox:
    """A sandbox in a folder of this machine. Nothing of it runs between two commands."""

    def __init__(
        self,
        sandbox_id: str,
        folder: Path,
        limits: SandboxLimits,
        proxy: Proxy | None,
        *,
        new: bool = False,
    ) -> None:
        """Take what a sandbox consists of.

        Args:
            sandbox_id: its id.
            folder: where it is, made by `make_folders`.
            limits: what it may use.
            proxy: the way to the hosts that it may reach.
            new: whether its folder was made in this moment.
        """
        self.id = sandbox_id
        self._folder = folder
        self._limits = limits
        self._proxy = proxy
        self._together: set[Processes] = set()
        self._disk = DiskWatch(folder / "work", limits.disk_bytes, self._measure)
        if new:
            self._disk.start_empty()

    async def run(self, command: Command, take_output: TakeOutput | None = None) -> Ran:
        """Run a command to its end; see `Sandbox`."""
        kept = CutOutput(command.output_bytes)

        async def take(piece: bytes) -> None:
            kept.add(piece)
            if take_output is not None:
                await take_output(piece)

        ran = await self._run(command, take)
        return replace(ran, output=kept.output(), dropped_bytes=kept.dropped)

    async def stop_all(self) -> None:
        """End all that runs in it, of any process; see `Sandbox`."""
        await asyncio.to_thread(kill_within, self._folder)

    async def read_file(self, path: str, *, limit: int = 10_000_000) -> bytes:
        """What is in a file, up to `limit` bytes; see `Sandbox`.

        It is read inside: a link leads where the sandbox sees it lead.
        """
        content = bytearray()

        async def take(piece: bytes) -> None:
            content.extend(piece)

        place = _absolute(path)
        ran = await self._run(_script(_READ, str(limit), place), take, quiet=True)
        if ran.exit_code == _NO_FILE:
            raise NoSuchFile(f"There is no file {place} in the sandbox.")
        if ran.exit_code != 0:
            raise NoSuchFile(f"{place} cannot be read in the sandbox: check who may read it.")
        return bytes(content)

    async def write_file(self, path: str, content: bytes) -> None:
        """Write a file, with the folders that it needs; see `Sandbox`.

        Raises:
            Invalid: there is something else, or it may not be written there.
            SandboxLimit, SandboxGone
        """
        place = _absolute(path)
        ran = await self.run(replace(_script(_WRITE, place), stdin=content))
        if ran.limit is not None or "No space left" in (
            said := ran.output.decode(errors="replace")
        ):
            limit = ran.limit or "disk"
            raise SandboxLimit(
                f"{place} cannot be written: the sandbox's limit of {limit} is reached."
            )
        if ran.timed_out or ran.exit_code != 0:
            raise Invalid(
                f"{place} cannot be written in the sandbox: {said.strip() or 'no answer'}."
            )

    async def empty(self) -> None:
        """Remove all files, also those that the sandbox has hidden from itself.

        Raises:
            SandboxGone
        """
        arguments = ("find", *FOLDERS.values(), "-xdev", "-mindepth", "1", "-delete")
        await self._keep(arguments)

    async def _run(self, command: Command, take: TakeOutput, *, quiet: bool = False) -> Ran:
        _check(command)
        await self._check_there()
        way_out = ENVIRONMENT if self._proxy is not None else {}
        seconds = min(command.seconds, self._limits.seconds)

        def make(fds: Mapping[str, int]) -> Call:
            return call(
                self._folder,
                command.arguments,
                limits=self._limits,
                cwd=command.cwd,
                environment={**way_out, **command.environment},
                fds=fds,
                stdin=command.stdin is not None,
            )

        async with contextlib.AsyncExitStack() as stack:
            running = await stack.enter_async_context(
                start(make, stdin=command.stdin is not None, quiet=quiet)
            )
            if self._proxy is not None:
                await stack.enter_async_context(self._proxy.within(running))
            await running.begin()
            return await self._attend(running, command.stdin, seconds, take)

    async def _attend(
        self, running: Confined, stdin: bytes | None, seconds: float, take: TakeOutput
    ) -> Ran:
        """Feed the command and take from it until it ends, or has to be ended."""
        process = running.process
        pump = asyncio.create_task(_pump(running, take))
        feed = asyncio.create_task(_feed(process, stdin))
        ended = asyncio.create_task(process.wait())
        watching = asyncio.create_task(watch(running, self._limits, self._disk, self._together))
        tasks = {pump, feed, ended, watching}
        timed_out, limit = False, None
        try:
            await _first(ended, pump, watching, seconds=seconds)
            if watching.done():
                limit = watching.result()
                running.kill()
            elif not ended.done():
                timed_out = True
                await running.stop()
            # Who has outlived the command would hold its output open.
            await ended
            running.kill()
            await pump
        finally:
            running.kill()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if limit is None and not timed_out:
            limit = await self._limit_at_the_end(ended.result())
        if limit == GONE:
            raise SandboxGone(f"The sandbox {self.id} was destroyed while a command ran in it.")
        if timed_out:
            return Ran(-1, b"", timed_out=True)
        code = ended.result()
        return Ran(_KILLED if code < 0 else code, b"", limit=limit)

    async def _limit_at_the_end(self, exit_code: int) -> str | None:
        # Where others make room meanwhile, the file system does not tell of what was too large.
        look = Look.once if exit_code == _FILE_TOO_LARGE else Look.if_suspected
        try:
            over = await self._disk.over(look)
        except FileNotFoundError:
            return GONE
        # The watch may have found it in the same moment, and bears it since.
        over |= exit_code == _FILE_TOO_LARGE and self._disk.is_full()
        return "disk" if over else None

    async def _measure(self) -> tuple[int, int]:
        output = await self._keep(("sh", "-c", _COUNT, "sh", *FOLDERS.values()))
        lines = output.splitlines()
        if len(lines) != 2:
            await self._check_there()
            raise SandboxUnusable(
                f"The files of the sandbox {self.id} cannot be counted: Assay needs du of GNU "
                "coreutils, and memory to run it."
            )
        size, files = (int(line.split()[0]) for line in lines)
        nameless = await asyncio.to_thread(self._nameless)
        return size + sum(nameless.values()), files + len(nameless)

    def _nameless(self) -> dict[int, int]:
        """Files that were removed and are held open, which no walk through the folders finds."""
        device = (self._folder / "work").stat().st_dev
        found: dict[int, int] = {}
        for each in tuple(self._together):
            found |= each.nameless(device)
        return found

    async def _keep(self, arguments: tuple[str, ...]) -> bytes:
        """Run a program of ours that may see everything in the sandbox."""
        await self._check_there()

        def make(fds: Mapping[str, int]) -> Call:
            return call(
                self._folder,
                arguments,
                limits=self._limits,
                cwd="/",
                environment={},
                fds=fds,
                keeper=True,
            )

        async with start(make, stdin=False, quiet=True) as running:
            await running.begin()
            return await running.process.stdout.read_all()

    async def _check_there(self) -> None:
        if not await asyncio.to_thread((self._folder / "work").is_dir):
            raise SandboxGone(f"The sandbox {self.id} is not on this machine any more.")


def _script(script: str, *arguments: str) -> Command:
    return Command(("sh", "-c", script, "sh", *arguments), cwd="/", seconds=_FILE_SECONDS)


def _absolute(path: str) -> str:
    if "\0" in path or not path:
        raise Invalid("A path in the sandbox is not empty and has no zero byte.")
    return posixpath.join(WORK, path)


def _check(command: Command) -> None:
    if not command.arguments:
        raise Invalid("A command has a program at least.")
    if not command.cwd.startswith("/"):
        raise Invalid(
            f"Takes an absolute path for where to run, such as {WORK}: not {command.cwd!r}."
        )
    for name in command.environment:
        if not name or "=" in name:
            raise Invalid(f"{name!r} is not the name of an environment variable.")
    texts = (*command.arguments, command.cwd, *command.environment, *command.environment.values())
    if any("\0" in text for text in texts):
        raise Invalid("A command has no zero bytes in its arguments, folder and environment.")


async def _first(
    ended: asyncio.Task[int],
    pump: asyncio.Task[None],
    watching: asyncio.Task[str],
    *,
    seconds: float,
) -> None:
    """Wait until the command ends, its output cannot be taken, a limit or the time is reached."""
    deadline = asyncio.get_running_loop().time() + seconds
    waiting: set[asyncio.Task[object]] = {ended, pump, watching}
    while not (ended.done() or watching.done()):
        left = deadline - asyncio.get_running_loop().time()
        done, waiting = await asyncio.wait(
            waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
        )
        if pump in done:
            pump.result()
        if not done:
            return


async def _pump(running: Confined, take: TakeOutput) -> None:
    total = 0
    while piece := await running.read(_PIECE):
        await take(piece)
        total += len(piece)
        if total > _FLOOD:
            await asyncio.sleep(_FLOOD_PAUSE)


async def _feed(process: Program, content: bytes | None) -> None:
    if content is None:
        return
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        await process.stdin.write(content)
    process.stdin.close()
