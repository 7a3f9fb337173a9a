"""Processes of a sandbox whose server is gone, or does not get to looking after them."""

import contextlib
import os
import signal
from pathlib import Path

from assay.agents.sandboxes.providers.types import WORK


def kill_within(folder: Path) -> None:
    """End all processes of this machine that see the folder `folder` of a sandbox as its own.

    Those of other servers too, and those that nobody watches any more.
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
    try:
        return _place(Path(f"/proc/{pid}/root{WORK}")) == own
    except OSError:
        return False


def _place(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
