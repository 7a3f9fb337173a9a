"""A machine for the stand-in of E2B: real processes in namespaces of their own."""

import asyncio
import json
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

_FOLDERS = ("usr", "etc", "proc", "dev", "tmp", "home/user")
_LINKS = ("bin", "sbin", "lib", "lib64")


class Machine:
    """A root folder and a process number 1; commands come into it from outside, as envd's do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._first: Process | None = None
        self._spawned: list[Process] = []
        self._inside = 0

    async def start(self) -> None:
        for name in _FOLDERS:
            (self.root / name).mkdir(parents=True)
        for name in _LINKS:
            (self.root / name).symlink_to(f"usr/{name}")
        # Only root may make folders in the root folder, as at E2B.
        self.root.chmod(0o555)
        reader, writer = os.pipe()
        self._first = await asyncio.create_subprocess_exec(
            *("bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--die-with-parent"),
            *("--bind", str(self.root), "/", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc"),
            *("/etc", "--proc", "/proc", "--dev", "/dev", "--info-fd", str(writer)),
            *("sh", "-c", "echo up; exec sleep infinity"),
            pass_fds=(writer,),
            stdin=DEVNULL,
            stdout=PIPE,
        )
        os.close(writer)
        assert self._first.stdout is not None
        assert await self._first.stdout.readline() == b"up\n"
        with os.fdopen(reader) as info:
            self._inside = json.load(info)["child-pid"]

    async def spawn(
        self, arguments: list[str], *, root: bool, env: dict[str, str], cwd: str | None
    ) -> Process:
        powerless = () if root else ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
        process = await asyncio.create_subprocess_exec(
            *("nsenter", f"--target={self._inside}", "--user", "--mount", "--pid", "--net"),
            *("--preserve-credentials", f"--wdns={cwd or '/home/user'}", *powerless),
            *("env", "-i", "PATH=/usr/bin:/bin", "HOME=/home/user"),
            *(f"{name}={value}" for name, value in env.items()),
            *arguments,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        self._spawned.append(process)
        return process

    def path(self, inside: str) -> Path:
        return self.root / inside.lstrip("/")

    def freeze(self, frozen: bool) -> None:
        """Stop or go on with all that runs in it."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def _processes(self) -> list[int]:
        """All of its processes but the first, which is bwrap's own."""
        namespace = (Path("/proc") / str(self._inside) / "ns/pid").readlink()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if (entry / "ns/pid").readlink() == namespace and int(entry.name) != self._inside:
                    found.append(int(entry.name))
            except (OSError, ValueError):
                continue
        return found

    async def stop(self) -> None:
        if self._first is not None and self._first.returncode is None:
            self._first.kill()
            await self._first.wait()
        for process in [self._first, *self._spawned]:
            if process is not None:
                # Nobody may have read its output to the end.
                process._transport.close()  # type: ignore[attr-defined]  # asyncio has no other way
                await process.wait()
        self.root.chmod(0o755)
        shutil.rmtree(self.root)
