"""One command that runs in a sandbox: a group of processes with namespaces of their own."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from subprocess import DEVNULL, STDOUT

from assay.agents.sandboxes.providers.local import seccomp
from assay.agents.sandboxes.providers.local.bubblewrap import READY, UNPRIVILEGED, Call
from assay.agents.sandboxes.providers.types import SandboxUnusable
from assay.core.errors import Invalid
from assay.core.programs import Program, start_program

MENDS = (
    "Install bubblewrap 0.8 or newer (apt-get install bubblewrap) and allow user namespaces: "
    "sysctl -w kernel.unprivileged_userns_clone=1 on older Debian, "
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, "
    "sysctl -w user.max_user_namespaces=15000 where that is 0; a container needs them allowed too."
)
_PIECE = 64 * 1024
_NICE = 10
_GRACE = 1.0
"""How long a command that was asked to end may take, in seconds, before it is killed."""

Make = Callable[[Mapping[str, int]], Call]
"""Gives the call of bubblewrap, from the descriptors that it gets by its options without dashes."""


@dataclass(slots=True)
class Confined:
    """Processes in a sandbox, which end together.

    Attributes:
        process: bubblewrap, whose end is the command's.
        init: the first process of the sandbox's own; all others die with it.
        pidfd: the same process, for sure.
        go: has a byte written to it to let bubblewrap go on.
        stdin: whether the command reads what is written to the process's stdin.
    """

    process: Program
    init: int
    pidfd: int
    go: int
    stdin: bool
    _said: bytes = b""

    async def begin(self) -> None:
        """Let the command begin, which is held back until then."""
        # The server goes before what it lets do as it likes.
        with contextlib.suppress(ProcessLookupError):
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, self.init, min(19, own + _NICE))
        with contextlib.suppress(BrokenPipeError):
            os.write(self.go, b"!")
        # That alone would let it begin too where the server dies. And who dies before the sandbox
        # says that it is there leaves one that knows nothing of it, and runs for ever.
        said = await self.process.stdout.read(len(READY))
        if said != READY:
            self._said = said
            return
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            await self.process.stdin.write(b"\n")
        if not self.stdin:
            self.process.stdin.close()

    async def read(self, size: int) -> bytes:
        """What comes next of the output, up to `size` bytes; nothing at its end."""
        said, self._said = self._said, b""
        return said or await self.process.stdout.read(size)

    def kill(self) -> None:
        """End everything now."""
        # Not by `Process.kill`, which may take the end of bubblewrap from who waits for it.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    async def stop(self) -> None:
        """Ask the command to end, and end everything a second later."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.init, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self.process.wait()
        self.kill()


@dataclass(slots=True)
class _Descriptors:
    """Those that are open for a command, ours and those of bubblewrap."""

    open: set[int] = field(default_factory=set)

    def pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self.open |= set(ends)
        return ends

    def file(self, content: bytes) -> int:
        descriptor = os.memfd_create("assay")
        self.open.add(descriptor)
        # Short enough for one write; the other end reads from the start.
        os.pwrite(descriptor, content, 0)
        return descriptor

    def add(self, descriptor: int) -> int:
        self.open.add(descriptor)
        return descriptor

    def close(self, *descriptors: int) -> None:
        for descriptor in descriptors or tuple(self.open):
            os.close(descriptor)
            self.open.discard(descriptor)


@contextlib.asynccontextmanager
async def start(make: Make, *, stdin: bool, quiet: bool = False) -> AsyncIterator[Confined]:
    """Start a command, which waits for `begin`; at the end nothing of it is left.

    Args:
        make: gives the call of bubblewrap.
        stdin: whether the command reads what is written to the process's stdin.
        quiet: whether standard error is dropped instead of joined with the output.

    Raises:
        SandboxUnusable: bubblewrap did not get as far as the command.
        Invalid: the command cannot be started as it is.
    """
    descriptors = _Descriptors()
    process: Program | None = None
    running: Confined | None = None
    try:
        info, info_write = descriptors.pipe()
        block_read, go = descriptors.pipe()
        fds = {"args": descriptors.file(b""), "info-fd": info_write, "block-fd": block_read}
        fds["seccomp"] = descriptors.file(seccomp.program())
        call = make(fds)
        os.pwrite(fds["args"], call.read, 0)
        launching = asyncio.ensure_future(_launch(call, fds, descriptors, info, quiet))
        try:
            process, init = launched = await asyncio.shield(launching)
        except asyncio.CancelledError:
            # Only what has come to be known can be ended for sure.
            process, init = await launching
            if init is not None:
                os.kill(init, signal.SIGKILL)
            raise
        if init is None:
            raise SandboxUnusable(await _reason(launched[0]))
        running = Confined(launched[0], init, descriptors.add(os.pidfd_open(init)), go, stdin)
        yield running
    finally:
        if running is not None:
            running.kill()
        descriptors.close()
        if process is not None:
            await _reap(process)


async def _launch(
    call: Call,
    fds: Mapping[str, int],
    descriptors: _Descriptors,
    info: int,
    quiet: bool,
) -> tuple[Program, int | None]:
    process = _spawn(call, tuple(fds.values()), quiet=quiet)
    descriptors.close(*fds.values())
    return process, await _first_process(info)


def _spawn(call: Call, fds: tuple[int, ...], *, quiet: bool) -> Program:
    try:
        program = start_program(
            *call.arguments,
            env=call.environment,
            cwd="/",
            stdin=True,
            stderr=DEVNULL if quiet else STDOUT,
            pass_fds=fds,
        )
    except (ValueError, OSError) as error:
        raise Invalid(f"The command cannot be started: {error}.") from None
    if os.geteuid() == 0:
        # Else a command could use them, but not open them as /dev/stdin and /dev/stdout.
        for pipe in (program.stdin, program.stdout):
            assert pipe is not None
            os.fchown(pipe.fileno(), UNPRIVILEGED, UNPRIVILEGED)
    return program


async def _first_process(info: int) -> int | None:
    """The first process of the sandbox, as this machine counts it; None where there is none."""
    loop = asyncio.get_running_loop()
    said, ready = bytearray(), asyncio.Event()
    loop.add_reader(info, ready.set)
    try:
        while not said.rstrip().endswith(b"}"):
            await ready.wait()
            ready.clear()
            if not (piece := os.read(info, 4096)):
                return None
            said += piece
    finally:
        loop.remove_reader(info)
    return int(json.loads(said)["child-pid"])


async def _reason(process: Program) -> str:
    said = (await process.stdout.read_all())[:1000].decode(errors="replace").strip()
    return f"bubblewrap cannot make a sandbox ({said or 'it says nothing'}). {MENDS}"


async def _reap(process: Program) -> None:
    with contextlib.closing(process):
        # Nobody may have read what it wrote last, and it ends when that has gone.
        while await process.stdout.read(_PIECE):
            pass
        await process.wait()
