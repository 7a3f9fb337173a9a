"""A server that is killed, or hangs: nothing runs on that nobody looks after."""

import asyncio
import fcntl
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.agents.sandboxes.providers.local.conftest import LIMITS

from assay.agents.sandboxes.providers.local.bubblewrap import call
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.local.seccomp import program
from assay.core.programs import start_program

SERVER = """
import asyncio, os, signal, sys
from pathlib import Path
from assay.agents.sandboxes.providers.local.process import Confined
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.types import Command, SandboxLimits

begin = Confined.begin

async def begin_and_die(self):
    if sys.argv[3] == "after":
        await begin(self)
    os.kill(os.getpid(), signal.SIGKILL)

async def say(piece):
    print("ready", flush=True)

async def main():
    if sys.argv[3] != "runs":
        Confined.begin = begin_and_die
    sandbox = await LocalProvider(Path(sys.argv[1])).create("one", SandboxLimits(processes=32))
    await sandbox.run(Command(("sh", "-c", sys.argv[2]), seconds=100.0), say)

asyncio.run(main())
"""


@pytest.fixture
def script(provider: LocalProvider) -> str:
    """A command that makes a mark at its beginning, and another one again and again."""
    goes_on = "while :; do touch /work/goes-on; sleep 0.05; done"
    return f"touch /work/began; echo ready; {goes_on} # {provider.folder}"


async def serve(home: Path, script: str, how: str) -> Process:
    """A server of its own that runs the script in a sandbox in `home`."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(home), script, how, stdout=PIPE
    )


def running(script: str) -> list[int]:
    """The processes of this machine that have the script among their arguments."""
    found = psutil.process_iter(["pid", "cmdline", "status"])
    return [
        p.pid
        for p in found
        if script in (p.info["cmdline"] or ()) and p.info["status"] != psutil.STATUS_ZOMBIE
    ]


async def until(seen: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what the kernel does a moment later."""
    async with asyncio.timeout(seconds):
        while not seen():  # nobody tells of it
            await asyncio.sleep(0.02)


async def test_a_server_that_dies_before_a_command_begins(
    provider: LocalProvider, script: str
) -> None:
    server = await serve(provider.folder.parent, script, "before")
    assert await server.wait() == -signal.SIGKILL
    # What did not come as far as to be a sandbox may wait, for ever.
    await asyncio.sleep(0.5)
    work = provider.folder / "one" / "work"
    assert work.is_dir()
    assert not (work / "began").exists()
    await provider.destroy("one")
    await until(lambda: not running(script))


@pytest.mark.parametrize("_time", range(4))
async def test_a_server_that_dies_as_soon_as_a_command_begins(
    provider: LocalProvider, script: str, _time: int
) -> None:
    server = await serve(provider.folder.parent, script, "after")
    assert await server.wait() == -signal.SIGKILL
    # Before that, nobody else has to come and destroy it.
    await until(lambda: not running(script))


async def test_destroying_ends_what_has_not_become_a_sandbox_yet(
    provider: LocalProvider, script: str
) -> None:
    await provider.create("one", LIMITS)
    # Nobody reads of the first process, so that bubblewrap never comes to tell it to go on.
    full, info = os.pipe()
    os.write(info, bytes(fcntl.fcntl(info, fcntl.F_SETPIPE_SZ, 4096)))
    fds = {"args": os.memfd_create("args"), "seccomp": os.memfd_create("seccomp"), "info-fd": info}
    making = call(
        provider.folder / "one",
        ("sh", "-c", script),
        limits=LIMITS,
        cwd="/",
        environment={},
        fds=fds,
    )
    os.pwrite(fds["args"], making.read, 0)
    os.pwrite(fds["seccomp"], program(), 0)
    bubblewrap = start_program(
        *making.arguments,
        env=making.environment,
        cwd="/",
        stdin=True,
        pass_fds=tuple(fds.values()),
    )
    await until(lambda: len(running(script)) == 2)
    bubblewrap.kill()
    await bubblewrap.wait()
    for descriptor in (*fds.values(), full):
        os.close(descriptor)
    await asyncio.sleep(0.2)
    assert len(running(script)) == 1
    await provider.destroy("one")
    await until(lambda: not running(script))
    bubblewrap.close()


async def test_destroying_ends_what_a_server_that_hangs_has_started(
    provider: LocalProvider, script: str
) -> None:
    server = await serve(provider.folder.parent, script, "runs")
    assert server.stdout is not None
    assert await server.stdout.readline() == b"ready\n"
    # It looks after nothing now.
    server.send_signal(signal.SIGSTOP)
    try:
        other = await provider.create("other", LIMITS)
        await provider.destroy("one")
        await until(lambda: running(script) == [server.pid])
        assert await provider.labels() == {"other": other.id}
    finally:
        server.kill()
        await server.wait()
