"""Commands and files of a sandbox at E2B: the official SDK against a stand-in."""

import asyncio

import pytest
from tests.agents.sandboxes.providers.e2b.account import E2B

from assay.agents.sandboxes.providers.e2b import sandbox as sandboxes
from assay.agents.sandboxes.providers.e2b.sandbox import E2BSandbox
from assay.agents.sandboxes.providers.types import (
    Command,
    NoSuchFile,
    SandboxGone,
    SandboxLimit,
    SandboxUnreachable,
)


def shell(script: str, **fields: object) -> Command:
    return Command(("bash", "-c", script), **fields)  # type: ignore[arg-type]


async def alive(sandbox: E2BSandbox, name: str) -> bool:
    """Whether a process with this in its command line runs in the sandbox."""
    # A pattern that what looks for it does not match.
    pattern = f"{name[:-1]}[{name[-1]}]"
    found = await sandbox.run(shell(f"grep -ls '{pattern}' /proc/[0-9]*/cmdline"))
    return found.exit_code == 0


async def started(sandbox: E2BSandbox, name: str) -> None:
    async with asyncio.timeout(20):
        while not await alive(sandbox, name):
            await asyncio.sleep(0.05)


async def test_a_command_runs_in_the_work_folder(sandbox: E2BSandbox) -> None:
    ran = await sandbox.run(Command(("pwd",)))
    assert (ran.exit_code, ran.output, ran.timed_out, ran.limit) == (0, b"/work\n", False, None)
    assert (await sandbox.run(shell("touch there && ls /work"))).output == b"there\n"


@pytest.mark.parametrize(
    ("command", "code", "output"),
    [
        (shell("echo out; echo err >&2; echo out; exit 3"), 3, b"out\nerr\nout\n"),
        (shell("kill -KILL $$"), 137, b"Killed"),
        (Command(("/nothing/here",)), 127, b"/nothing/here"),
        (Command(("pwd",), cwd="/nowhere"), 126, b"/nowhere: No such file"),
        (Command(("printf", "%s|", "a b", "$HOME", "it's", ";ls")), 0, b"a b|$HOME|it's|;ls|"),
        (Command(("A=1",)), 127, b"A=1"),
        (Command(("cat",)), 0, b""),
        (Command(("cat",), stdin=b"x" * 300_000, output_bytes=400_000), 0, b"x" * 300_000),
        (Command(("printenv", "NAME"), environment={"NAME": "a 'b'"}), 0, b"a 'b'\n"),
    ],
)
async def test_what_comes_of_a_command(
    sandbox: E2BSandbox, command: Command, code: int, output: bytes
) -> None:
    ran = await sandbox.run(command)
    assert ran.exit_code == code, ran.output
    assert output in ran.output
    assert bool(output) == bool(ran.output)


async def test_nothing_of_the_server_is_in_the_environment(sandbox: E2BSandbox) -> None:
    ran = await sandbox.run(Command(("env",)))
    assert b"E2B" not in ran.output
    assert b"ASSAY_COMMAND=" in ran.output
    stdin = await sandbox.run(shell("cat; ls -A /tmp", stdin=b"in:"))
    assert stdin.output == b"in:"


async def test_output_comes_while_the_command_runs(sandbox: E2BSandbox) -> None:
    came = asyncio.Event()

    async def take(piece: bytes) -> None:
        if b"first" in piece:
            came.set()

    script = "echo first; until [ -e go ]; do sleep 0.02; done; echo last"
    task = asyncio.create_task(sandbox.run(shell(script), take))
    await asyncio.wait_for(came.wait(), 20)
    await sandbox.write_file("/work/go", b"")
    assert (await task).output == b"first\nlast\n"


async def test_long_output_is_cut_in_the_middle(sandbox: E2BSandbox) -> None:
    ran = await sandbox.run(shell("echo begin; seq 100000; echo end", output_bytes=1000))
    assert ran.output.startswith(b"begin\n1\n2\n")
    assert ran.output.endswith(b"100000\nend\n")
    assert 1000 < len(ran.output) < 1100
    assert ran.dropped_bytes == len(b"begin\nend\n") + 588895 - 1000
    assert f"{ran.dropped_bytes} bytes left out".encode() in ran.output


async def test_endless_output_is_stopped(
    sandbox: E2BSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxes, "MOST_OUTPUT_BYTES", 1_000_000)
    ran = await sandbox.run(Command(("yes", "flood-1"), output_bytes=100))
    assert (ran.exit_code, ran.limit, ran.timed_out) == (-1, "output", False)
    assert not await alive(sandbox, "flood-1")


async def test_a_command_is_stopped_at_its_time_with_all_that_it_started(
    sandbox: E2BSandbox,
) -> None:
    script = "trap '' TERM; setsid sleep 1001.5 & echo up; sleep 1001.5"
    ran = await sandbox.run(shell(script, seconds=1.0))
    assert (ran.exit_code, ran.timed_out, ran.output) == (-1, True, b"up\n")
    assert not await alive(sandbox, "1001.5")


async def test_cancelling_kills_the_command(sandbox: E2BSandbox) -> None:
    task = asyncio.create_task(sandbox.run(shell("setsid sleep 1002.5 & sleep 1002.5")))
    await started(sandbox, "1002.5")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await alive(sandbox, "1002.5")


async def test_a_fault_in_what_takes_the_output_stops_the_command(sandbox: E2BSandbox) -> None:
    async def take(_piece: bytes) -> None:
        raise LookupError("full")

    with pytest.raises(LookupError, match="full"):
        await sandbox.run(shell("echo; sleep 1003.5"), take)
    assert not await alive(sandbox, "1003.5")


async def test_commands_run_side_by_side(sandbox: E2BSandbox) -> None:
    waits = sandbox.run(shell("until [ -e other ]; do sleep 0.02; done; echo seen"))
    both = await asyncio.gather(waits, sandbox.run(shell("sleep 0.1; touch other")))
    assert [ran.exit_code for ran in both] == [0, 0]


async def test_files_go_in_and_out_as_they_are(sandbox: E2BSandbox) -> None:
    content = bytes(range(256)) * 5000
    await sandbox.write_file("/work/deep/down/file", content)
    assert await sandbox.read_file("/work/deep/down/file") == content
    assert await sandbox.read_file("/work/deep/down/file", limit=1000) == content[:1000]
    counted = await sandbox.run(Command(("wc", "-c", "deep/down/file")))
    assert counted.output.startswith(b"1280000 ")


@pytest.mark.parametrize("path", ["/work/nothing", "/work"])
async def test_what_is_no_file_cannot_be_read(sandbox: E2BSandbox, path: str) -> None:
    with pytest.raises(NoSuchFile, match=path):
        await sandbox.read_file(path)


async def test_a_full_disk_is_a_limit(sandbox: E2BSandbox) -> None:
    with pytest.raises(SandboxLimit, match="full"):
        await sandbox.write_file("/full/file", b"x")


async def test_a_sandbox_that_vanishes_during_a_command_is_gone(
    e2b: E2B, sandbox: E2BSandbox
) -> None:
    task = asyncio.create_task(sandbox.run(shell("sleep 1004.5")))
    await started(sandbox, "1004.5")
    await e2b.vanish(sandbox.id)
    with pytest.raises(SandboxGone, match=sandbox.id):
        await task
    for call in (
        sandbox.run(Command(("true",))),
        sandbox.read_file("/work/file"),
        sandbox.write_file("/work/file", b""),
    ):
        with pytest.raises(SandboxGone, match=sandbox.id):
            await call


async def test_a_connection_that_is_cut_leaves_nothing_running(
    e2b: E2B, sandbox: E2BSandbox
) -> None:
    task = asyncio.create_task(sandbox.run(shell("sleep 1005.5")))
    await started(sandbox, "1005.5")
    e2b.cut()
    with pytest.raises(SandboxUnreachable, match="not answer"):
        await task
    assert not await alive(sandbox, "1005.5")
    assert (await sandbox.run(Command(("echo", "on")))).output == b"on\n"
