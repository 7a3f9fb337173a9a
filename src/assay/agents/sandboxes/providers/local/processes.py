"""What the processes of a sandbox hold, as its own /proc tells: memory, and files without a name.

The name of a process is for the process to choose, and stands in the same file as the rest: a line
ends at a line feed only, of which there is none in a name.
"""

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from assay.agents.sandboxes.providers.local.process import Confined

LARGEST_SOCKET = 416 * 1024
"""What a socket may hold that nobody has read from: the kernel's usual limit, counted for each."""
OPEN_FILE = 8 * 1024
"""What an open file counts for: a pipe may hold as much, and belongs to no process."""

_INIT = "1"
_FILE_IN_MEMORY = 1024
"""What the kernel keeps for each file of a file system in memory, beside what is in it."""
_KIB = 1024
_ROUGH = ("RssAnon:", "RssShmem:", "VmSwap:", "VmPTE:")
_CAREFUL = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")
_QUEUES = 4
"""The column of /proc/net/tcp with what waits to be sent, and to be read."""


class Processes:
    """The processes of a running command, as the sandbox's own /proc lists them."""

    def __init__(self, running: Confined) -> None:
        """Take the command that runs."""
        self._root = f"/proc/{running.init}/root/proc"
        self._folder = -1
        self._closed = False
        self._in_use = threading.Lock()

    def close(self) -> None:
        """Let go of the sandbox's /proc; who still looks, in another thread, does so at the end."""
        self._closed = True
        self._let_go()

    def look(self) -> tuple[int, int]:
        """How many processes and threads there are, and what they hold in memory at most: bytes."""
        number = 0
        with self._looking():
            memory = self._sockets() + self._files_in_memory()
            for pid in self._pids():
                status = self._read(f"{pid}/status")
                # The first process is ours; only its memory counts, which a debugger can fill.
                if status and pid != _INIT:
                    number += max(1, _sum(status, ("Threads:",)) // _KIB)
                memory += _sum(status, _ROUGH) + self._open_files(pid, status)
        return number, memory

    def memory(self) -> int:
        """What all processes hold in memory, in bytes; what they share is counted once."""
        with self._looking():
            memory = self._sockets() + self._files_in_memory()
            for pid in self._pids():
                status = self._read(f"{pid}/status")
                memory += _sum(self._read(f"{pid}/smaps_rollup"), _CAREFUL)
                memory += _sum(status, ("VmPTE:",)) + self._open_files(pid, status)
        return memory

    def nameless(self, device: int) -> dict[int, int]:
        """Files of a file system that were removed and are held open: their bytes by their inode.

        Those that are only mapped into memory can be seen where the server is root.
        """
        with self._looking():
            held = [each for pid in self._pids() for each in self._held(pid)]
        return {
            each.st_ino: each.st_blocks * 512
            for each in held
            if each.st_dev == device and not each.st_nlink and stat.S_ISREG(each.st_mode)
        }

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        """Keep the sandbox's /proc, whose descriptor would soon be another one's, for a look."""
        try:
            with self._in_use:
                yield
        finally:
            if self._closed:
                self._let_go()

    def _let_go(self) -> None:
        # Whoever has it looks after this too, when it has done.
        if self._in_use.acquire(blocking=False):
            if self._folder >= 0:
                os.close(self._folder)
                self._folder = -1
            self._in_use.release()

    def _sockets(self) -> int:
        """What the sockets of the command may hold in the kernel, where no process has it."""
        pid = next(self._pids(), None)
        if pid is None:
            return 0
        counted = _counts(self._read(f"{pid}/net/sockstat") + self._read(f"{pid}/net/sockstat6"))
        held = counted.get("sockets:used", 0) * LARGEST_SOCKET
        for name, kind in (("TCP", "tcp"), ("TCP6", "tcp6")):
            # Reading them takes long, and most commands have none.
            if counted.get(f"{name}:inuse"):
                held += _queued(self._read(f"{pid}/net/{kind}"))
        return held

    def _files_in_memory(self) -> int:
        """What the files in /dev/shm take, without what is in them: that has its own limit."""
        path = f"{_INIT}/root/dev/shm"
        try:
            folder = os.open(path, os.O_PATH | os.O_DIRECTORY, dir_fd=self._folder)
        except OSError:
            return 0
        try:
            found = os.fstatvfs(folder)
        finally:
            os.close(folder)
        return (found.f_files - found.f_ffree) * _FILE_IN_MEMORY

    def _held(self, pid: str) -> Iterator[os.stat_result]:
        """What a process has open, and mapped into memory."""
        for kind in ("fd", "map_files"):
            for name in self._names(f"{pid}/{kind}"):
                with contextlib.suppress(OSError):
                    yield os.stat(f"{pid}/{kind}/{name}", dir_fd=self._folder)

    def _open_files(self, pid: str, status: bytes) -> int:
        try:
            number = os.stat(f"{pid}/fd", dir_fd=self._folder).st_size
        except OSError:
            return 0
        # Linux before 6.2 says only how many it has room for.
        return (number or _sum(status, ("FDSize:",)) // _KIB) * OPEN_FILE

    def _pids(self) -> Iterator[str]:
        if self._folder >= 0 or (not self._closed and self._open()):
            yield from (name for name in self._names(".") if name.isdigit())

    def _names(self, path: str) -> list[str]:
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._folder)
        except OSError:
            return []
        try:
            return os.listdir(folder)  # noqa: PTH208  # a path cannot name a descriptor
        except OSError:
            return []
        finally:
            os.close(folder)

    def _open(self) -> bool:
        try:
            folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        if os.fstat(folder).st_dev == Path("/proc").stat().st_dev:
            # It has not left this machine's file system yet.
            os.close(folder)
            return False
        self._folder = folder
        return True

    def _read(self, path: str) -> bytes:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            try:
                return file.read()
            except OSError:
                return b""


def _sum(text: bytes, names: tuple[str, ...]) -> int:
    wanted = {name.encode() for name in names}
    total = 0
    # Not `splitlines`, which takes a carriage return for an end too.
    for line in text.split(b"\n"):
        name, *values = line.split(None, 2)[:2] or (b"",)
        if values and name in wanted and line.startswith(name):
            total += int(values[0])
    return total * _KIB


def _counts(text: bytes) -> dict[str, int]:
    """Numbers of /proc/net/sockstat, by protocol and name."""
    found = {}
    for line in text.decode().split("\n"):
        protocol, *pairs = line.split() or ("",)
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            found[f"{protocol}{name}"] = int(value)
    return found


def _queued(text: bytes) -> int:
    """The bytes that wait in the connections of /proc/net/tcp."""
    total = 0
    for line in text.split(b"\n")[1:]:
        if columns := line.split():
            total += sum(int(queue, 16) for queue in columns[_QUEUES].split(b":"))
    return total
