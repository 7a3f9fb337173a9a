"""Programs that are started, fed and read, on both kinds of event loops."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from assay.core.programs import Program, start_program

Do = Callable[[Callable[[], Awaitable[object]]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def do(request: pytest.FixtureRequest) -> Iterator[Do]:
    """Does something in a fresh loop of one kind."""
    with asyncio.Runner(loop_factory=request.param) as runner:

        def run(work: Callable[[], Awaitable[object]]) -> None:
            async def bounded() -> None:
                async with asyncio.timeout(30):
                    await work()

            runner.run(bounded())

        yield run


def shell(script: str, **options: object) -> Program:
    given = {"env": {"PATH": os.environ["PATH"]}, "cwd": "/", "stdin": False, **options}
    return start_program("sh", "-c", script, **given)  # type: ignore[arg-type]


def test_what_it_writes_and_ends_with(do: Do, tmp_path: Path) -> None:
    async def work() -> None:
        program = shell("pwd; echo $NAME; echo oh >&2; exit 3", cwd=tmp_path, env={"NAME": "x"})
        assert program.stderr is not None
        assert await program.stdout.read_all() == f"{tmp_path}\nx\n".encode()
        assert await program.stderr.read_all() == b"oh\n"
        assert await program.wait() == program.returncode == 3
        program.close()

    do(work)


def test_it_is_fed_more_than_a_pipe_holds(do: Do) -> None:
    async def work() -> None:
        program = shell("wc -c", stdin=True)
        assert program.stdin is not None
        await program.stdin.write(b"x" * 10_000_000)
        program.stdin.close()
        assert (await program.stdout.read_all()).split() == [b"10000000"]
        assert await program.wait() == 0
        program.close()

    do(work)


def test_one_that_reads_nothing_does_not_hold_up_who_feeds_it(do: Do) -> None:
    async def work() -> None:
        program = shell("exit 0", stdin=True)
        assert program.stdin is not None
        with pytest.raises(BrokenPipeError):
            await program.stdin.write(b"x" * 10_000_000)
        assert await program.wait() == 0
        program.close()

    do(work)


def test_it_has_a_group_of_its_own_and_may_be_killed(do: Do) -> None:
    async def work() -> None:
        program = shell("sleep 600 & wait", stderr=subprocess.DEVNULL)
        assert program.returncode is None
        assert program.stderr is None
        os.killpg(program.pid, signal.SIGKILL)
        assert await program.stdout.read_all() == b""
        assert await program.wait() == -signal.SIGKILL
        program.kill()
        program.close()

    do(work)


def test_who_is_cancelled_while_waiting_leaves_others_waiting(do: Do) -> None:
    async def work() -> None:
        program = shell("read -r line", stdin=True)
        first = asyncio.create_task(program.wait())
        second = asyncio.create_task(program.wait())
        await asyncio.sleep(0)
        first.cancel()
        assert program.stdin is not None
        await program.stdin.write(b"go\n")
        assert await second == 0
        program.close()

    do(work)


def test_it_gets_the_descriptors_that_are_named_and_no_others(do: Do) -> None:
    async def work() -> None:
        given, kept = os.memfd_create("given"), os.memfd_create("kept", 0)
        os.write(given, b"hello")
        script = f"cat /proc/self/fd/{given}; [ -e /proc/$$/fd/{kept} ] && echo leaked; true"
        program = shell(script, pass_fds=(given,))
        assert await program.stdout.read_all() == b"hello"
        await program.wait()
        program.close()
        os.close(given)
        os.close(kept)

    do(work)


@pytest.mark.parametrize(
    ("name", "error"), [("no-such-program", FileNotFoundError), ("a\0", ValueError)]
)
def test_what_cannot_be_started_says_why(do: Do, name: str, error: type[Exception]) -> None:
    async def work() -> None:
        with pytest.raises(error):
            start_program(name, env={"PATH": "/usr/bin"}, cwd="/", stdin=True)

    do(work)


def test_where_the_system_has_no_descriptors_of_processes_a_thread_waits(
    do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")

    async def work() -> None:
        program = shell("echo there; exit 4")
        assert await program.stdout.read_all() == b"there\n"
        assert await program.wait() == 4
        program.close()

    do(work)


def test_one_that_only_writes_leaves_time_for_others(do: Do) -> None:
    async def work() -> None:
        program = shell("exec yes")
        reading = asyncio.create_task(program.stdout.read_all())
        for _ in range(50):
            await asyncio.sleep(0.001)
        reading.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled()
        program.kill()
        await program.wait()
        program.close()

    do(work)


def test_who_is_cancelled_while_reading_may_read_on(do: Do) -> None:
    async def work() -> None:
        program = shell("read -r line; echo $line", stdin=True)
        reading = asyncio.create_task(program.stdout.read(100))
        await asyncio.sleep(0.05)
        reading.cancel()
        await asyncio.wait({reading})
        assert program.stdin is not None
        await program.stdin.write(b"on\n")
        assert await program.stdout.read_all() == b"on\n"
        await program.wait()
        program.close()

    do(work)


def test_its_output_is_a_pipe_that_can_be_opened(do: Do) -> None:
    async def work() -> None:
        program = shell("echo there >/dev/stdout")
        assert await program.stdout.read_all() == b"there\n"
        assert await program.wait() == 0
        program.close()

    do(work)
