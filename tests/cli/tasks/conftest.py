"""A repository on disk, a model that plays scripts in a thread, and a terminal."""

import asyncio
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.agents.git.repositories import Origin, make_origin

from assay.testing.scripted_model import ScriptedModelServer

SECONDS = 60.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """The repository that tasks are about."""
    return make_origin(tmp_path)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModelServer]:
    """The model that agents have: `scripted/coder`."""
    server, ready, stop = ScriptedModelServer(), threading.Event(), threading.Event()

    async def serve() -> None:
        async with server:
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(SECONDS)
    monkeypatch.setenv("SCRIPTED_BASE_URL", server.base_url)
    yield server
    stop.set()
    thread.join()


class Terminal:
    """Somebody at a terminal in which a command runs."""

    def __init__(self, process: "subprocess.Popen[bytes]", file: int) -> None:
        """Sit at the terminal that is this file."""
        self._process = process
        self._file = file
        self._read_to = 0
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Read until the text is seen, behind what was waited for before."""
        until = time.monotonic() + SECONDS
        while text not in self.seen[self._read_to :]:
            assert time.monotonic() < until, f"no {text!r} in {self.seen}"
            if not self._read() and text not in self.seen[self._read_to :]:
                raise AssertionError(f"ended without {text!r}: {self.seen}")
        self._read_to = self.seen.index(text, self._read_to) + len(text)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._file, keys.encode())

    def end(self) -> int:
        """Read until the command has ended; gives its exit code."""
        while self._read():
            pass
        return self._process.wait(SECONDS)

    def _read(self) -> bool:
        if not select.select([self._file], [], [], SECONDS)[0]:
            raise AssertionError(f"nothing more came: {self.seen}")
        try:
            piece = os.read(self._file, 65536)
        except OSError:
            # What Linux says once the other end is closed.
            return False
        text = piece.decode("utf-8", "replace").replace("\r\n", "\n")
        self.seen += _COLOURS.sub("", text)
        return bool(piece)


@pytest.fixture
def terminal() -> Callable[..., Any]:
    """Starts a command in a terminal, and ends it at the latest with the context."""

    @contextmanager
    def start(*arguments: object) -> Iterator[Terminal]:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "assay.cli.main", *map(str, arguments)]
        # As a shell does it: the keys reach the command as signals, too.
        environment = {**os.environ, "TERM": "xterm-256color"}
        with subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)
            finally:
                process.kill()
                os.close(ours)

    return start


_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
