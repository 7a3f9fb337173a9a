"""Processes of a sandbox whose server is gone, or does not get to looking after them.

bubblewrap dies with the server, and the sandbox with bubblewrap; but for the moment between its
first process and the word to that one that it may go on. Who is killed there leaves one that waits
for ever, and that sees nothing of the sandbox yet: it is known by a mark in its environment.
"""

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from assay.agents.sandboxes.providers.types import WORK, SandboxGone

_MARK = "ASSAY_SANDBOX"


def mark(folder: Path) -> Mapping[str, str]:
    """The environment of what makes a sandbox of `folder`, until that has one of its own.

    Raises:
        SandboxGone: the folder is gone.
    """
    try:
        return {_MARK: _text(_place(folder / "work"))}
    except FileNotFoundError:
        raise SandboxGone(f"The sandbox {folder.name} is not on this machine any more.") from None


def kill_within(folder: Path) -> None:
    """End all processes of this machine that see the folder `folder` of a sandbox as its own.

    Those of other servers too, those that nobody watches any more, and those that have the mark.
    """
    with contextlib.suppress(FileNotFoundError):
        own = _place(folder / "work")
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _within(int(entry.name), own):
                _kill(int(entry.name), own)


def _kill(pid: int, own: tuple[int, int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            # Its number may be another one's by now; that of the descriptor cannot.
            if _within(pid, own):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def _within(pid: int, own: tuple[int, int]) -> bool:
    process = Path(f"/proc/{pid}")
    with contextlib.suppress(OSError):
        if _place(process / f"root{WORK}") == own:
            return True
    with contextlib.suppress(OSError):
        return f"{_MARK}={_text(own)}".encode() in (process / "environ").read_bytes().split(b"\0")
    return False


def _place(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _text(place: tuple[int, int]) -> str:
    return "{}:{}".format(*place)
