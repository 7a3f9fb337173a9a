"""One sandbox at E2B: commands and files."""

import asyncio
import re
import secrets
from contextlib import aclosing

import structlog
from e2b import (
    AsyncCommandHandle,
    AsyncSandbox,
    CommandExitException,
    FileNotFoundException,
    InvalidArgumentException,
)

from assay.agents.sandboxes.providers.cutting import CutOutput
from assay.agents.sandboxes.providers.e2b.errors import translated
from assay.agents.sandboxes.providers.e2b.scripts import MARK, killing, making, running
from assay.agents.sandboxes.providers.types import (
    WORK,
    Command,
    NoSuchFile,
    Ran,
    SandboxGone,
    SandboxUnreachable,
    SandboxUnusable,
    TakeOutput,
)
from assay.core.errors import AssayError

log = structlog.get_logger(__name__)

MOST_OUTPUT_BYTES = 64 * 1024**2
"""A command that writes more than this is stopped: all of it comes over the network."""

# For the end of a command to arrive, and for E2B to stop it should this process be gone.
_GRACE_SECONDS = 30.0
_STOP_SECONDS = 10.0
_FILE_SECONDS = 600.0
_OWNER = re.compile(r"\d+:\d+")


class E2BSandbox:
    """A sandbox at E2B.

    The SDK gives output as text, so bytes that are no UTF-8 come out as replacement characters.
    """

    def __init__(self, there: AsyncSandbox) -> None:
        """Take the SDK's own sandbox, connected."""
        self.id = there.sandbox_id
        self._there = there
        self._stopping: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        """Make the folder `WORK`, and let it belong to the user that commands run as.

        Raises:
            SandboxUnusable: the template does not let it be made.
            SandboxGone, SandboxUnreachable
        """
        with translated(self.id):
            try:
                done = await self._there.commands.run(making(WORK))
                owner = done.stdout.strip().rpartition("\n")[2]
                if _OWNER.fullmatch(owner):
                    script = f"mkdir -p {WORK} && chown {owner} {WORK}"
                    await self._there.commands.run(script, user="root")
            except CommandExitException as error:
                raise SandboxUnusable(
                    f"The template at E2B does not let {WORK} be made: {error.stderr.strip()}"
                ) from error

    async def run(self, command: Command, take_output: TakeOutput | None = None) -> Ran:
        """Run a command to its end; see `Sandbox`."""
        mark = secrets.token_hex(16)
        taken = _Taken(command.output_bytes, take_output)
        deadline = asyncio.timeout(command.seconds)
        try:
            async with deadline:
                exit_code = await self._run(command, mark, taken)
        except SandboxGone:
            raise
        except BaseException as error:
            await self._stop(mark)
            if taken.error is not None:
                raise taken.error from None
            if taken.flooded:
                return taken.ran(-1, limit="output")
            if isinstance(error, TimeoutError) and deadline.expired():
                return taken.ran(-1, timed_out=True)
            raise
        return taken.ran(exit_code)

    async def _run(self, command: Command, mark: str, taken: "_Taken") -> int:
        stdin = None
        if command.stdin is not None:
            # Its pipe would hold as much as nobody reads; a file takes all of it at once.
            stdin = f"/tmp/assay-{mark}"  # noqa: S108  # in the sandbox, and the name is random
            await self.write_file(stdin, command.stdin)
        with translated(self.id):
            handle = await self._there.commands.run(
                running(command, stdin),
                background=True,
                envs={**command.environment, MARK: mark},
                on_stdout=taken.take,
                on_stderr=taken.take,
                timeout=command.seconds + _GRACE_SECONDS,
                retain_output=False,
            )
            try:
                return await self._wait(handle, taken)
            finally:
                await handle.disconnect()

    async def _wait(self, handle: AsyncCommandHandle[None], taken: "_Taken") -> int:
        try:
            return (await handle.wait()).exit_code
        except CommandExitException as error:
            return error.exit_code
        except Exception as error:
            # The SDK raises a bare one where the end of the stream is missing.
            if type(error) is Exception and taken.error is None:
                raise SandboxUnreachable(f"A command in {self.id} was cut off: {error}") from error
            raise

    async def _stop(self, mark: str) -> None:
        """Kill all that was started with this mark, also where we are cancelled meanwhile."""
        task = asyncio.create_task(self._kill(mark))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        await asyncio.shield(task)

    async def _kill(self, mark: str) -> None:
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._end(killing(mark))
        except (AssayError, TimeoutError) as error:
            log.warning("a command could not be stopped", sandbox=self.id, error=str(error))

    async def _end(self, script: str) -> None:
        try:
            with translated(self.id):
                # As root: a command may have used sudo.
                await self._there.commands.run(script, user="root")
        except CommandExitException as error:
            raise SandboxUnreachable(
                f"A command in sandbox {self.id} does not end, though it was killed"
            ) from error

    async def stop_all(self) -> None:
        """End all commands, also those of another process; see `Sandbox`."""
        await self._end(killing(None))

    async def read_file(self, path: str, *, limit: int = 10_000_000) -> bytes:
        """What is in a file; see `Sandbox`."""
        content = bytearray()
        with translated(self.id):
            try:
                reader = await self._there.files.read(path, format="stream")
                async with aclosing(reader):
                    async for piece in reader:
                        content += piece
                        if len(content) >= limit:
                            break
            except FileNotFoundException as error:
                raise NoSuchFile(f"There is no file {path} in the sandbox") from error
            except InvalidArgumentException as error:
                raise NoSuchFile(f"{path} in the sandbox is no file: {error}") from error
        return bytes(content[:limit])

    async def write_file(self, path: str, content: bytes) -> None:
        """Write a file, with the folders that it needs; see `Sandbox`."""
        with translated(self.id):
            await self._there.files.write(
                path, content, use_octet_stream=True, request_timeout=_FILE_SECONDS
            )


class _Flooded(Exception):
    """A command has written more than it may."""


class _Taken:
    """What a command has written, and what came of handing it on."""

    def __init__(self, most: int, take_output: TakeOutput | None) -> None:
        self._output = CutOutput(most)
        self._take_output = take_output
        self.error: BaseException | None = None

    @property
    def flooded(self) -> bool:
        return self._output.total > MOST_OUTPUT_BYTES

    async def take(self, text: str) -> None:
        piece = text.encode()
        self._output.add(piece)
        if self.flooded:
            raise _Flooded
        if self._take_output is None:
            return
        try:
            await self._take_output(piece)
        except Exception as error:
            self.error = error
            raise

    def ran(self, exit_code: int, *, timed_out: bool = False, limit: str | None = None) -> Ran:
        output = self._output.output()
        return Ran(exit_code, output, self._output.dropped, timed_out=timed_out, limit=limit)
