"""Commands: what they get, what comes of them, and that nothing of them stays."""

import asyncio
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.agents.sandboxes.providers.local.conftest import Sh

from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.local.sandbox import LocalSandbox
from assay.agents.sandboxes.providers.types import Command
from assay.core.errors import Invalid


def running(mark: str) -> list[int]:
    """The processes of this machine that have `mark` among their arguments."""
    return [p.pid for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or ())]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


async def test_a_command_gets_what_it_is_given(sandbox: LocalSandbox) -> None:
    script = 'pwd; echo "$MINE"; cat; echo problem >&2; exit 7'
    command = Command(
        ("sh", "-c", script), cwd="/tmp", environment={"MINE": "a b\nc"}, stdin=b"typed\n"
    )
    ran = await sandbox.run(command)
    assert (ran.exit_code, ran.output) == (7, b"/tmp\na b\nc\ntyped\nproblem\n")
    assert (ran.timed_out, ran.limit, ran.dropped_bytes) == (False, None, 0)


async def test_the_streams_can_be_opened_by_their_names(sandbox: LocalSandbox) -> None:
    script = "cat /dev/stdin; echo one >/dev/stdout; echo two | tee /dev/stderr"
    ran = await sandbox.run(Command(("sh", "-c", script), stdin=b"zero\n"))
    assert ran.output == b"zero\none\ntwo\ntwo\n"


async def test_many_short_commands_leave_nothing_open(sandbox: LocalSandbox) -> None:
    def opened() -> int:
        # Connections of others come and go.
        places = map(_target, Path("/proc/self/fd").iterdir())
        return sum(not place.startswith("socket:") for place in places)

    async def short() -> None:
        await sandbox.run(Command(("true",)))

    await short()
    before = opened()
    # They end in the moment in which they are looked at first.
    for _ in range(30):
        await asyncio.gather(*(short() for _ in range(8)))
    async with asyncio.timeout(10):
        while opened() > before:
            await asyncio.sleep(0.05)


async def test_a_signal_is_128_and_its_number(sh: Sh) -> None:
    assert (await sh("kill -SEGV $$")).exit_code == 128 + 11


async def test_a_program_that_is_not_there(sandbox: LocalSandbox) -> None:
    ran = await sandbox.run(Command(("no-such-program",)))
    assert ran.exit_code == 127
    assert b"no-such-program: No such file" in ran.output


@pytest.mark.parametrize(
    "command",
    [
        Command(()),
        Command(("true",), cwd="work"),
        Command(("a\0b",)),
        Command(("true",), environment={"a=b": ""}),
        Command(("true", "x" * 3_000_000)),
    ],
    ids=["no-program", "relative", "zero", "name", "long"],
)
async def test_a_command_that_is_none_is_refused(sandbox: LocalSandbox, command: Command) -> None:
    with pytest.raises(Invalid):
        await sandbox.run(command)


async def test_files_stay_between_commands(sh: Sh) -> None:
    await sh("echo 1 >/work/a; echo 2 >/tmp/b; echo 3 >~/c; chmod 600 /work/a")
    assert (await sh("cat /work/a /tmp/b ~/c")).output == b"1\n2\n3\n"


async def test_git_works(sh: Sh) -> None:
    ran = await sh(
        "git init -q . && git config user.email a@example.com && git config user.name A && "
        "echo x >x && git add x && git commit -qm first && git log --format=%s && git status -s"
    )
    assert (ran.exit_code, ran.output) == (0, b"first\n")


async def test_output_comes_while_the_command_runs(sandbox: LocalSandbox) -> None:
    """The command waits for what only its first output leads to."""
    pieces: list[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)
        if b"ready" in piece:
            await sandbox.write_file("go", b"")

    script = "echo ready; until [ -e go ]; do sleep 0.05; done; echo done"
    ran = await sandbox.run(Command(("sh", "-c", script), seconds=60.0), take)
    assert (ran.exit_code, ran.output) == (0, b"ready\ndone\n")
    assert b"".join(pieces) == ran.output
    assert len(pieces) > 1


async def test_whoever_takes_the_output_may_fail(sandbox: LocalSandbox) -> None:
    async def take(piece: bytes) -> None:
        raise LookupError("nowhere to put it")

    started = time.monotonic()
    with pytest.raises(LookupError, match="nowhere"):
        await sandbox.run(Command(("sh", "-c", "echo x; sleep 60.11"), seconds=50.0), take)
    assert time.monotonic() - started < 20
    assert not running("60.11")


async def test_who_outlives_the_command_ends_with_it(sh: Sh) -> None:
    ran = await sh("(setsid nohup sleep 60.22 &) ; (sleep 60.22 &); echo started")
    assert ran.output == b"started\n"
    assert not running("60.22")


async def test_cancelling_stops_everything(sandbox: LocalSandbox) -> None:
    ready = asyncio.Event()

    async def take(piece: bytes) -> None:
        ready.set()

    script = (
        "trap '' TERM; (setsid sleep 60.33 &); sleep 60.33 & echo ready; while :; do sleep 1; done"
    )
    task = asyncio.create_task(sandbox.run(Command(("sh", "-c", script)), take))
    await ready.wait()
    assert running("60.33")
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 2
    assert not running("60.33")


async def test_cancelling_at_any_moment_leaves_nothing(sandbox: LocalSandbox) -> None:
    for step in range(25):
        task = asyncio.create_task(sandbox.run(Command(("sleep", "60.44"))))
        await asyncio.sleep(step * 0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not running("60.44")
    assert (await sandbox.run(Command(("true",)))).exit_code == 0


async def test_nothing_outlives_the_server(tmp_path: Path) -> None:
    server = """
import asyncio, sys
from pathlib import Path
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.types import Command, SandboxLimits

async def say(piece):
    print("ready", flush=True)

async def main():
    sandbox = await LocalProvider(Path(sys.argv[1])).create("one", SandboxLimits(processes=32))
    script = "trap '' TERM HUP; (setsid sleep 60.55 &); echo x; while :; do sleep 60.55; done"
    await sandbox.run(Command(("sh", "-c", script)), say)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", server, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    assert running("60.55")
    process.kill()
    await process.wait()
    async with asyncio.timeout(10):
        while running("60.55"):
            await asyncio.sleep(0.05)
    await LocalProvider(tmp_path).destroy("one")


async def test_a_folder_that_is_not_there(sandbox: LocalSandbox) -> None:
    ran = await sandbox.run(Command(("true",), cwd="/work/none"))
    assert ran.exit_code != 0
    assert b"/work/none: No such file" in ran.output


async def test_commands_run_side_by_side(sandbox: LocalSandbox) -> None:
    """Each waits for the other."""
    script = 'touch "$1"; until [ -e "$2" ]; do sleep 0.02; done'
    first = sandbox.run(Command(("sh", "-c", script, "sh", "a", "b"), seconds=50.0))
    second = sandbox.run(Command(("sh", "-c", script, "sh", "b", "a"), seconds=50.0))
    assert [ran.exit_code for ran in await asyncio.gather(first, second)] == [0, 0]


async def test_what_nobody_reads_is_no_trouble(sandbox: LocalSandbox) -> None:
    ran = await sandbox.run(Command(("true",), stdin=bytes(5_000_000)))
    assert ran.exit_code == 0
