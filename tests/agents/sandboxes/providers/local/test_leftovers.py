"""A server that is killed, or hangs: nothing runs on that nobody looks after."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import psutil
from tests.agents.sandboxes.providers.local.conftest import LIMITS

from assay.agents.sandboxes.providers.local.provider import LocalProvider

# The command would make a mark: at its beginning, and again and again.
SCRIPT = "touch /work/began; echo ready; while :; do touch /work/goes-on; sleep 0.05; done"
SERVER = """
import asyncio, os, signal, sys
from pathlib import Path
from assay.agents.sandboxes.providers.local.process import Confined
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.types import Command, SandboxLimits

async def say(piece):
    print("ready", flush=True)

async def main():
    if sys.argv[3] == "dies":
        Confined.begin = lambda self: os.kill(os.getpid(), signal.SIGKILL)
    sandbox = await LocalProvider(Path(sys.argv[1])).create("one", SandboxLimits(processes=32))
    await sandbox.run(Command(("sh", "-c", sys.argv[2]), seconds=100.0), say)

asyncio.run(main())
"""


async def serve(home: Path, how: str) -> Process:
    """A server of its own that runs the command in a sandbox in `home`."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(home), SCRIPT, how, stdout=PIPE
    )


def running() -> list[int]:
    """The processes of this machine that have the command among their arguments."""
    found = psutil.process_iter(["pid", "cmdline", "status"])
    return [
        p.pid
        for p in found
        if SCRIPT in (p.info["cmdline"] or ()) and p.info["status"] != psutil.STATUS_ZOMBIE
    ]


async def test_a_server_that_dies_before_a_command_begins(provider: LocalProvider) -> None:
    server = await serve(provider.folder.parent, "dies")
    assert await server.wait() == -signal.SIGKILL
    async with asyncio.timeout(20):
        while running():
            await asyncio.sleep(0.05)
    work = provider.folder / "one" / "work"
    assert work.is_dir()
    assert not (work / "began").exists()


async def test_destroying_ends_what_a_server_that_hangs_has_started(
    provider: LocalProvider,
) -> None:
    server = await serve(provider.folder.parent, "runs")
    assert server.stdout is not None
    assert await server.stdout.readline() == b"ready\n"
    # It looks after nothing now.
    server.send_signal(signal.SIGSTOP)
    try:
        other = await provider.create("other", LIMITS)
        await provider.destroy("one")
        # The kernel takes a moment to end all that were told to.
        async with asyncio.timeout(20):
            while [pid for pid in running() if pid != server.pid]:
                await asyncio.sleep(0.02)
        assert await provider.labels() == {"other": other.id}
    finally:
        server.kill()
        await server.wait()
