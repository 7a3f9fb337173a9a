"""What a kind of sandbox has to be able to do; the same for all of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from assay.core.errors import AssayError, Unavailable

WORK = "/work"
"""Where the clone of the repository is, in every sandbox."""

TakeOutput = Callable[[bytes], Awaitable[None]]
"""Takes a piece of what a command writes, as it comes; standard output and error together."""


class SandboxGone(AssayError):
    """The sandbox is not there any more."""

    code = "sandbox_gone"


class SandboxUnusable(Unavailable):
    """Sandboxes of this kind cannot be made here; the message says what mends it."""

    code = "sandbox_unusable"


class SandboxUnreachable(Unavailable):
    """The sandbox does not answer at the moment; it may be there still."""

    code = "sandbox_unreachable"


class SandboxLimit(AssayError):
    """A limit of the sandbox was reached: memory, processes or disk."""

    code = "sandbox_limit"


class NoSuchFile(AssayError):
    """There is no file at this path in the sandbox."""

    code = "no_such_file"


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What a sandbox may use; those that a provider sets itself are left to it."""

    memory_bytes: int = 2 * 1024**3
    disk_bytes: int = 4 * 1024**3
    processes: int = 256
    seconds: float = 3600.0
    network: tuple[str, ...] = ()
    """Hosts that may be reached, as `pypi.org` or `*.example.com`; none: no network at all."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something to run in a sandbox.

    Attributes:
        arguments: the program and its arguments; no shell.
        cwd: where, an absolute path in the sandbox.
        environment: added to the sandbox's own; nothing of the server's is in that.
        stdin: what the command reads.
        seconds: after which it is stopped, with everything that it has started.
        output_bytes: what is kept of its output; of more, the head and the tail.
    """

    arguments: tuple[str, ...]
    cwd: str = WORK
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    seconds: float = 120.0
    output_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command.

    Attributes:
        exit_code: 128 and the signal where one ended it; -1 where it was stopped for its time.
        output: standard output and error as they came, cut in the middle, where a line says so.
        dropped_bytes: how much of the output was left out.
        timed_out: whether it was stopped because its time was over.
        limit: the limit that it ran into, if it did.
    """

    exit_code: int
    output: bytes
    dropped_bytes: int = 0
    timed_out: bool = False
    limit: str | None = None


class Sandbox(Protocol):
    """One sandbox that is there. Cancelling a call stops what it runs."""

    id: str

    async def run(self, command: Command, take_output: TakeOutput | None = None) -> Ran:
        """Run a command to its end.

        Raises:
            SandboxGone: the sandbox is not there any more.
        """
        ...

    async def read_file(self, path: str, *, limit: int = 10_000_000) -> bytes:
        """What is in a file, up to `limit` bytes.

        Raises:
            NoSuchFile, SandboxGone
        """
        ...

    async def write_file(self, path: str, content: bytes) -> None:
        """Write a file, with the folders that it needs.

        Raises:
            SandboxLimit, SandboxGone
        """
        ...

    async def stop_all(self) -> None:
        """End all that runs in it: what a worker that is gone has left behind.

        Raises:
            SandboxGone, SandboxUnreachable
        """
        ...


class SandboxProvider(Protocol):
    """Makes, finds and destroys sandboxes of one kind. All calls may be repeated."""

    name: str

    async def check(self) -> None:
        """Make sure that sandboxes can be made here.

        Raises:
            SandboxUnusable: with what mends it.
        """
        ...

    async def create(self, label: str, limits: SandboxLimits) -> Sandbox:
        """A new, empty sandbox with a folder `WORK`.

        `label` is ours and unique: a sandbox that was lost between its making and the note of
        its id is found by it. Creating with the same label again gives the same sandbox.

        Raises:
            SandboxUnusable
        """
        ...

    async def open(self, sandbox_id: str, limits: SandboxLimits) -> Sandbox:
        """A sandbox that was made before, by this or another process; resumed if it was paused.

        Raises:
            SandboxGone
        """
        ...

    async def pause(self, sandbox_id: str) -> None:
        """Let a sandbox cost nothing while a task waits for a person; files stay."""
        ...

    async def destroy(self, sandbox_id: str) -> None:
        """Destroy a sandbox with all that is in it; nothing where it is gone."""
        ...

    async def labels(self) -> Mapping[str, str]:
        """The sandboxes that are there, their ids by their labels."""
        ...

    async def close(self) -> None:
        """Let go of what the provider holds, such as connections."""
        ...
