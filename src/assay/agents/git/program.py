"""The program git on the control plane: nothing of the machine's own settings has a say in it.

Hooks, file system monitors, helpers, other protocols than the one of the remote, and daemons that
outlive a command are off. Settings go in by the environment and not as arguments, which everybody
on the machine can read.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from assay.agents.git.errors import GitFailed, GitTimeout
from assay.core.errors import SetupError
from assay.core.programs import Program, Source, start_program

QUICK_SECONDS = 30.0
LONG_SECONDS = 900.0
MAX_OUTPUT = 16 * 1024 * 1024
TERM_SECONDS = 1.0
_KEPT = (
    "PATH",
    "TMPDIR",
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
)
# Faults that old histories have, made by programs of their time; they harm nobody.
_OLD_FAULTS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badFilemode",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)
_PINS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.askPass": "",
    # More than this is checked as a stream, not in memory.
    "core.bigFileThreshold": "16m",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "gc.autoDetach": "false",
    # A redirection would lead around the check of the address, and take the token along.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "init.templateDir": "",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "protocol.allow": "never",
    "push.gpgSign": "false",
    "push.followTags": "false",
    "push.recurseSubmodules": "no",
    "submodule.recurse": "false",
    "transfer.fsckObjects": "true",
    "transfer.bundleURI": "false",
    **{f"fetch.fsck.{fault}": "ignore" for fault in _OLD_FAULTS},
}


@dataclass(frozen=True, slots=True)
class Output:
    """What git gave: its exit code, standard output, and standard error as text."""

    command: str
    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text, without the last line feed."""
        return self.stdout.decode(errors="replace").rstrip("\n")

    def checked(self) -> Self:
        """The same, where the exit code is 0.

        Raises:
            GitFailed: it is not; with what git said. Not for what speaks to a remote, whose
                words can hold secrets.
        """
        if self.exit_code:
            said = self.stderr.strip()[-1000:] or f"exit code {self.exit_code}"
            raise GitFailed(f"`git {self.command}` failed: {said}")
        return self


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may use: bytes of memory for data, bytes of one file that it writes."""

    memory: int = 2 * 1024**3
    file: int = 2 * 1024**3


class Git:
    """Runs git with pinned settings; `home` is a folder of its own that stays empty."""

    def __init__(self, home: Path) -> None:
        """Take the folder, which is made when it is needed."""
        self._home = home

    async def run(
        self,
        *arguments: str,
        at: Path | None = None,
        settings: Sequence[tuple[str, str]] = (),
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        seconds: float = QUICK_SECONDS,
        lock: int | None = None,
        limits: Limits | None = None,
    ) -> Output:
        """Run git to its end, whatever its exit code; cancelling stops all that it has started.

        Args:
            arguments: of git.
            at: the bare repository.
            settings: of git, beside the pinned ones; may hold secrets.
            environment: more variables.
            stdin: what it reads; nothing without it.
            seconds: how long it may take.
            lock: a descriptor that lives on until the last process of the command has ended.
            limits: what it may use of the machine; they hold before it gets anything to read.

        Raises:
            GitTimeout: it took longer.
            SetupError: there is no git on this machine.
        """
        await asyncio.to_thread(self._home.mkdir, parents=True, exist_ok=True)
        place = ["--git-dir", str(at)] if at else []
        try:
            process = start_program(
                "git",
                *place,
                *arguments,
                env=self._environment(settings) | dict(environment or {}),
                cwd=self._home,
                stdin=stdin is not None,
                pass_fds=() if lock is None else (lock,),
            )
        except FileNotFoundError:
            raise SetupError("There is no program `git`: install it, and start again.") from None
        if limits and sys.platform == "linux":
            _limit(process.pid, limits)
        with contextlib.closing(process):
            try:
                async with asyncio.timeout(seconds):
                    _, stdout, stderr = await asyncio.gather(
                        _feed(process, stdin),
                        _collect(process.stdout),
                        _collect(process.stderr),
                    )
                    code = await process.wait()
            except TimeoutError:
                raise GitTimeout(
                    f"`git {arguments[0]}` was stopped after {seconds:g} seconds."
                ) from None
            finally:
                if process.returncode is None:
                    await asyncio.shield(_stop(process))
        return Output(arguments[0], code, stdout, stderr.decode(errors="replace"))

    def _environment(self, settings: Sequence[tuple[str, str]]) -> dict[str, str]:
        pairs = [*_PINS.items(), *settings]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= {
            "HOME": str(self._home),
            "LC_ALL": "C",
            "GIT_ASKPASS": "false",
            "GIT_CONFIG_COUNT": str(len(pairs)),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }
        for place, (name, value) in enumerate(pairs):
            environment[f"GIT_CONFIG_KEY_{place}"] = name
            environment[f"GIT_CONFIG_VALUE_{place}"] = value
        return environment


def _limit(pid: int, limits: Limits) -> None:
    # It may have ended by now.
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (limits.memory, limits.memory))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limits.file, limits.file))


async def _feed(process: Program, content: bytes | None) -> None:
    if content is None:
        return
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):
        await process.stdin.write(content)
    process.stdin.close()


async def _collect(stream: Source | None) -> bytes:
    """What comes, up to the limit; the rest is read and dropped, so that nobody waits for us."""
    assert stream
    pieces, length = [], 0
    while piece := await stream.read(65536):
        if length < MAX_OUTPUT:
            pieces.append(piece)
            length += len(piece)
    return b"".join(pieces)


async def _stop(process: Program) -> None:
    """End the whole group: kindly first, so that git takes its lock files away."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TERM_SECONDS):
                await process.wait()
                return
    await process.wait()
