"""What happens to a command that wants too much."""

import asyncio
import os
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from tests.agents.sandboxes.providers.local.conftest import LIMITS, MIB, Sh

from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.local.sandbox import LocalSandbox
from assay.agents.sandboxes.providers.local.watch import DiskWatch
from assay.agents.sandboxes.providers.types import Command, SandboxLimit


async def test_a_fork_bomb_is_stopped(python: Sh) -> None:
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    most, stop = 0, asyncio.Event()

    async def count() -> None:
        nonlocal most
        while not stop.is_set():
            found = [
                p for p in psutil.process_iter(["cmdline"]) if bomb in (p.info["cmdline"] or ())
            ]
            most = max(most, len(found))
            await asyncio.sleep(0.02)

    counting = asyncio.create_task(count())
    started = time.monotonic()
    ran = await python(bomb)
    stop.set()
    await counting
    assert (ran.limit, ran.exit_code) == ("processes", 137)
    assert time.monotonic() - started < 20
    # Beside them there are bubblewrap, and the first process within.
    assert 0 < most <= LIMITS.processes + 4
    assert not [p for p in psutil.process_iter(["cmdline"]) if bomb in (p.info["cmdline"] or ())]


async def test_threads_count_as_processes(python: Sh) -> None:
    ran = await python(
        "import threading, time\n"
        "for _ in range(100):\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    assert ran.limit == "processes" or b"can't start new thread" in ran.output


PRIVATE = """
x = []
while True: x.append(b"x" * 1_000_000)
"""
SHARED = """
import mmap
x = []
while True:
    x.append(mmap.mmap(-1, 1 << 20))
    x[-1][:] = b"x" * (1 << 20)
"""
MANY = """
import os, time
for n in range(7):
    if not os.fork():
        x = b"y" * 30_000_000
        break
time.sleep(50)
"""


# Its name stands in the file that is read, between the numbers; a line feed in it is escaped.
NAMED = """
import ctypes, time
ctypes.CDLL(None).prctl(15, b"\\rVmSwap:\\t-99999", 0, 0, 0)
x = b"x" * 200_000_000
time.sleep(20)
"""
PAGE_TABLES = """
import mmap, time
x = mmap.mmap(-1, 1 << 37, flags=0x4022, prot=mmap.PROT_READ)
for n in range(0, 1 << 37, 1 << 21): x[n]
time.sleep(20)
"""
SOCKETS = """
import socket, time
pairs = [socket.socketpair() for _ in range(450)]
for pair in pairs:
    for end in pair:
        end.setblocking(False)
        try:
            while True: end.send(bytes(32768))
        except BlockingIOError: pass
time.sleep(20)
"""
CONNECTIONS = """
import socket, time
server = socket.create_server(("127.0.0.1", 0), backlog=200)
pairs = []
for _ in range(60):
    pairs += [socket.create_connection(server.getsockname()), server.accept()[0]]
for end in pairs:
    end.setblocking(False)
for _ in range(200):
    for end in pairs:
        try: end.send(bytes(65536))
        except BlockingIOError: pass
time.sleep(20)
"""
PIPES = """
import os, time
for _ in range(5):
    if not os.fork(): break
pipes = []
try:
    while True:
        pipes.append(os.pipe()); os.set_blocking(pipes[-1][1], False)
        os.write(pipes[-1][1], bytes(4096))
except OSError: pass
time.sleep(20)
"""
HOLDERS = {
    "private": PRIVATE,
    "shared": SHARED,
    "many": MANY,
    "named": NAMED,
    "page-tables": PAGE_TABLES,
    "sockets": SOCKETS,
    "connections": CONNECTIONS,
    "pipes": "import resource; resource.setrlimit(7, (8192, 8192))" + PIPES,
}


@pytest.mark.parametrize("program", HOLDERS.values(), ids=HOLDERS.keys())
async def test_memory_is_counted_for_all_processes_together(python: Sh, program: str) -> None:
    ran = await python(program)
    assert (ran.limit, ran.exit_code) == ("memory", 137)


async def test_memory_is_counted_for_all_commands_together(python: Sh) -> None:
    program = "import time\nx = b'x' * 80_000_000\ntime.sleep(6)"
    ran = await asyncio.gather(python(program), python(program))
    assert "memory" in {each.limit for each in ran}


async def test_memory_that_processes_share_is_counted_once(python: Sh) -> None:
    ran = await python(
        "import os, time\n"
        "x = b'x' * 40_000_000\n"
        "children = [pid for pid in (os.fork() for _ in range(1)) if pid]\n"
        "[os.fork() for _ in range(3)]\n"
        "time.sleep(1)\n"
    )
    assert (ran.limit, ran.exit_code) == (None, 0)


async def test_shared_memory_has_its_own_limit(sh: Sh) -> None:
    ran = await sh("head -c 100000000 /dev/zero >/dev/shm/x")
    assert ran.exit_code != 0
    assert b"No space left" in ran.output or ran.limit == "disk"


async def test_one_large_file_is_stopped_at_the_limit(sh: Sh, sandbox: LocalSandbox) -> None:
    ran = await sh("cat /dev/zero >large")
    assert ran.limit == "disk"
    ran = await sh("stat -c %s large && rm large")
    assert ran.exit_code == 0
    assert int(ran.output) <= 64 * MIB + 4096
    assert (await sh("true")).limit is None


async def test_several_large_files_are_stopped(sh: Sh) -> None:
    ran = await sh(
        "for n in 1 2 3 4 5 6 7 8; do head -c 30000000 /dev/zero >/tmp/$n; done; sleep 20"
    )
    assert ran.limit == "disk"


async def test_many_small_files_are_stopped(python: Sh) -> None:
    ran = await python("for n in range(10**6): open(f'/home/agent/{n}', 'w').close()")
    assert ran.limit == "disk"


async def test_files_in_a_hidden_folder_are_counted(python: Sh) -> None:
    ran = await python(
        "import os, time\n"
        "os.mkdir('hidden'); files = [open(f'hidden/{n}', 'wb') for n in range(4)]\n"
        "os.chmod('hidden', 0)\n"
        "for file in files: file.write(bytes(30_000_000)); file.flush()\n"
        "time.sleep(20)\n"
    )
    assert ran.limit == "disk"


async def test_a_name_of_a_process_is_no_trouble(python: Sh) -> None:
    ran = await python(
        "import ctypes, time\n"
        "ctypes.CDLL(None).prctl(15, b'\\rThreads:\\tmany', 0, 0, 0)\n"
        "time.sleep(0.5); print('fine')\n"
    )
    assert (ran.limit, ran.output) == (None, b"fine\n")


@pytest.mark.parametrize("then", ["", "maps.append(mmap.mmap(f.fileno(), 4096)); f.close()"])
async def test_files_without_a_name_are_counted(python: Sh, then: str) -> None:
    """Held open, or mapped only, which takes a server that is root to see."""
    if then and os.geteuid() != 0:
        pytest.skip("only root sees which files are mapped")
    ran = await python(
        "import mmap, os, time\n"
        "files, maps = [], []\n"
        "for n in range(4):\n"
        "    f = open('f', 'w+b'); os.unlink('f'); f.write(bytes(30_000_000)); f.flush()\n"
        f"    files.append(f)\n    {then}\n"
        "time.sleep(20)\n"
    )
    assert (ran.limit, ran.exit_code) == ("disk", 137)


async def test_room_is_not_taken_without_writing(sh: Sh) -> None:
    """One call takes any amount, before anybody looks; for a file of no size, past its limit."""
    ran = await sh("touch f; fallocate --keep-size -l 200M f; stat -c %b f; fallocate -l 1M f")
    assert ran.output.decode().splitlines()[1] == "0"
    assert (await sh("python3 -c 'import os; os.posix_fallocate(1, 0, 5000)' >f")).exit_code == 0
    assert (await sh("stat -c %s f")).output == b"5000\n"


@pytest.mark.parametrize(
    ("program", "limit"),
    [
        ("x = b'x' * 60_000_000; import time; time.sleep(20)", "memory"),
        ("open('f', 'wb').write(bytes(40_000_000)); import time; time.sleep(20)", "disk"),
    ],
)
async def test_something_is_left_of_the_machine(
    sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch, program: str, limit: str
) -> None:
    """Within its own limits a sandbox uses up the last that the machine has."""
    left = {"memory": 400 * MIB, "disk": 400 * MIB}

    def available() -> object:
        return SimpleNamespace(available=left["memory"])

    def room(watch: DiskWatch) -> tuple[int, int]:
        return left["disk"], 1_000_000

    async def take(piece: bytes) -> None:
        left[limit] = 100 * MIB

    monkeypatch.setattr("psutil.virtual_memory", available)
    monkeypatch.setattr(DiskWatch, "_room", room)
    script = f"print('ready', flush=True); {program}"
    ran = await sandbox.run(Command(("python3", "-c", script), seconds=40.0), take)
    assert (ran.limit, ran.exit_code) == (limit, 137)
    # What others have left a machine with is no fault of a command.
    assert (await sandbox.run(Command(("true",)))).limit is None


async def test_a_file_that_does_not_fit_is_refused(sandbox: LocalSandbox) -> None:
    with pytest.raises(SandboxLimit, match="disk"):
        await sandbox.write_file("large", bytes(70 * MIB))


async def test_output_is_cut_in_the_middle(sandbox: LocalSandbox) -> None:
    before = psutil.Process().memory_info().rss
    script = "echo first; head -c 400000000 /dev/zero; echo; echo last"
    ran = await sandbox.run(Command(("sh", "-c", script), output_bytes=10_000, seconds=100.0))
    assert ran.exit_code == 0
    assert ran.output.startswith(b"first\n\0")
    assert ran.output.endswith(b"\0\nlast\n")
    assert ran.dropped_bytes == 400_000_000 + 12 - 10_000
    assert len(ran.output) < 10_100
    assert psutil.Process().memory_info().rss - before < 50 * MIB


async def test_a_flood_of_output_is_taken_slowly(sandbox: LocalSandbox) -> None:
    """Behind the first 64 MiB a piece of 64 KiB each millisecond at most, for 3 s with the end."""
    ran = await sandbox.run(Command(("yes",), seconds=2.0, output_bytes=1000))
    assert ran.timed_out
    assert ran.dropped_bytes < 64 * MIB + 4000 * 64 * 1024


async def test_a_command_ends_at_its_time(sh: Sh) -> None:
    ran = await sh("trap 'echo asked; exit' TERM; while :; do sleep 0.05; done", seconds=0.5)
    assert (ran.timed_out, ran.exit_code) == (True, -1)
    assert b"asked" in ran.output


async def test_a_command_that_will_not_end_is_killed(sh: Sh) -> None:
    started = time.monotonic()
    ran = await sh("trap '' TERM; echo here; while :; do sleep 1; done", seconds=0.5)
    assert (ran.timed_out, ran.exit_code) == (True, -1)
    assert b"here" in ran.output
    assert time.monotonic() - started < 10


async def test_the_sandbox_has_a_time_too(provider: LocalProvider, sandbox: LocalSandbox) -> None:
    again = await provider.open(sandbox.id, replace(LIMITS, seconds=0.3))
    ran = await again.run(Command(("sleep", "60")))
    assert ran.timed_out
