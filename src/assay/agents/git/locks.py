"""One at a time on a folder, over all processes of this machine."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[int]:
    """Hold the lock at `path`; gives its descriptor.

    A lock of flock belongs to the open file and not to the process: handed to the commands that
    are run, it is held until the last of them has ended, even where the one that started them
    was killed. So whoever has it knows that nobody is at work there.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    pause = _FIRST_PAUSE
    try:
        while not _taken(descriptor):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
