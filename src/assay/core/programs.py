"""Programs that are started without copying this process.

uvloop forks for each, and the pages of a server of some hundred megabytes are copied with that: it
takes 20 ms, in which nothing else goes on. `subprocess` lends its memory to the child until that is
the program (vfork), which takes one.
"""

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Program:
    """A program that runs, with the face of `asyncio.subprocess.Process`.

    Attributes:
        pid: its number, also that of its group.
        stdin: what it reads; `None` where it reads nothing.
        stdout: what it writes.
        stderr: its errors; `None` where they go elsewhere.
    """

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        """Watch over a program that was started in this moment."""
        self.pid = started.pid
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout = asyncio.StreamReader()
        self.stderr: asyncio.StreamReader | None = None
        self._started = started
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._transports: list[asyncio.BaseTransport] = []
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
        """Let go of its streams."""
        for transport in self._transports:
            transport.close()

    async def connect(self) -> None:
        """Open the streams; for `start_program`."""
        loop, started = self._loop, self._started
        assert started.stdout is not None
        await self._read(started.stdout, self.stdout)
        if started.stderr is not None:
            self.stderr = asyncio.StreamReader()
            await self._read(started.stderr, self.stderr)
        if started.stdin is not None:
            protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
            transport, _ = await loop.connect_write_pipe(lambda: protocol, started.stdin)
            self._transports.append(transport)
            self.stdin = asyncio.StreamWriter(transport, protocol, None, loop)

    async def _read(self, pipe: object, stream: asyncio.StreamReader) -> None:
        protocol = asyncio.StreamReaderProtocol(stream)
        transport, _ = await self._loop.connect_read_pipe(lambda: protocol, pipe)
        self._transports.append(transport)

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


async def start_program(
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
    program = Program(_start(arguments, env, cwd, stdin, stderr, pass_fds))
    try:
        await program.connect()
    except BaseException:
        program.kill()
        program.close()
        raise
    return program


def _start(
    arguments: Sequence[str],
    env: Mapping[str, str],
    cwd: Path | str,
    stdin: bool,
    stderr: int,
    pass_fds: Sequence[int],
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # no shell; whoever calls says which program
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
