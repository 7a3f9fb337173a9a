"""Programs that are started without copying this process.

uvloop forks for each, and the pages of a server of some hundred megabytes are copied with that: it
takes 20 ms, in which nothing else goes on. `subprocess` lends its memory to the child until that is
the program (vfork), which takes one. Their output is a pipe, as in a shell, and not a socket, which
no program can open as /dev/stdout.
"""

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import IO

_PIECE = 64 * 1024


class _End:
    """One end of a pipe, which is waited for by the loop that runs.

    Not by the loop's own transports: uvloop's close a descriptor twice, and by the second time it
    may be another one, which a thread has opened.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        assert isinstance(pipe, FileIO)
        self._pipe = pipe
        os.set_blocking(pipe.fileno(), False)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._pipe.fileno()

    def close(self) -> None:
        """Let go of it."""
        self._pipe.close()

    @contextlib.contextmanager
    def _turns(
        self, add: Callable[..., object], remove: Callable[[int], object]
    ) -> Iterator[asyncio.Event]:
        """An event that is set whenever there is something to do."""
        descriptor, ready = self.fileno(), asyncio.Event()
        add(descriptor, ready.set)
        try:
            yield ready
        finally:
            remove(descriptor)


class Source(_End):
    """What a program writes."""

    async def read(self, size: int) -> bytes:
        """What comes next, up to `size` bytes; nothing at the end."""
        # A program that only writes would else leave the loop no time for anything beside.
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        piece = self._pipe.read(size)
        if piece is None:
            with self._turns(loop.add_reader, loop.remove_reader) as ready:
                while piece is None:
                    await ready.wait()
                    ready.clear()
                    piece = self._pipe.read(size)
        return piece

    async def read_all(self) -> bytes:
        """Everything up to the end."""
        content = bytearray()
        while piece := await self.read(_PIECE):
            content += piece
        return bytes(content)


class Sink(_End):
    """What a program reads."""

    async def write(self, content: bytes) -> None:
        """Write all of it, as fast as the program reads.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        loop = asyncio.get_running_loop()
        left = memoryview(content)
        left = left[self._pipe.write(left) or 0 :]
        if left:
            with self._turns(loop.add_writer, loop.remove_writer) as ready:
                while left:
                    await ready.wait()
                    ready.clear()
                    left = left[self._pipe.write(left) or 0 :]


class Program:
    """A program that runs.

    Attributes:
        pid: its number, also that of its group.
        stdin: what it reads; `None` where it reads nothing.
        stdout: what it writes.
        stderr: its errors; `None` where they go elsewhere.
    """

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        """Watch over a program that was started in this moment; in the loop that runs."""
        assert started.stdout is not None
        self.pid = started.pid
        self.stdin = None if started.stdin is None else Sink(started.stdin)
        self.stdout = Source(started.stdout)
        self.stderr = None if started.stderr is None else Source(started.stderr)
        self._started = started
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._watch()

    @property
    def returncode(self) -> int | None:
        """What it ended with, less than 0 for a signal; `None` while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for its end; gives the return code."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """End it now; not what it has started."""
        if not self._ended.done():
            self._started.kill()

    def close(self) -> None:
        """Let go of its pipes, which nobody waits for any more."""
        for end in (self.stdin, self.stdout, self.stderr):
            if end is not None:
                end.close()

    def _watch(self) -> None:
        try:
            pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            # Not on this system.
            threading.Thread(target=self._wait_for_it, daemon=True).start()
        else:
            self._loop.add_reader(pidfd, self._has_ended, pidfd)

    def _has_ended(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        self._ended.set_result(self._started.wait())

    def _wait_for_it(self) -> None:
        code = self._started.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(self._ended.set_result, code)


def start_program(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path | str,
    stdin: bool,
    stderr: int = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> Program:
    """Start a program in a session, and with that a group, of its own.

    Args:
        arguments: the program, and its arguments.
        env: all of its environment.
        cwd: where it runs.
        stdin: whether it is given something to read.
        stderr: as in `subprocess`: PIPE, STDOUT or DEVNULL.
        pass_fds: descriptors that it gets beside the streams, under their numbers.

    Raises:
        OSError, ValueError: it cannot be started, as `subprocess` says.
    """
    return Program(
        subprocess.Popen(  # noqa: S603  # no shell; whoever calls says which program
            arguments,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
            bufsize=0,
        )
    )
