"""Commands, run in this process where that is enough and as processes where it is not."""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from assay.cli.main import main

PROVIDER_VARIABLES = re.compile("_(API_KEY|BASE_URL|RPM|TPM|TIMEOUT|MAX_CONCURRENCY)$")
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A clean environment in a folder of its own, for this process and those it starts."""
    for name in list(os.environ):
        if PROVIDER_VARIABLES.search(name):
            monkeypatch.delenv(name)
    for name in ("DATABASE_URL", "HOST", "API_PORT", "LOG_LEVEL", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    # Where the runtime folder's path is too long, the embedded database has no room for a socket.
    settings = {"ASSAY_HOME": str(tmp_path / "home"), "SHUTDOWN_SECONDS": "5"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return settings


@pytest.fixture
async def dsn(new_database_dsn: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database, which DATABASE_URL names."""
    dsn: str = await new_database_dsn()
    monkeypatch.setenv("DATABASE_URL", dsn)
    return dsn


@pytest.fixture
async def empty_dsn(
    new_database_dsn: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """A database that was never migrated, which DATABASE_URL names."""
    dsn: str = await new_database_dsn()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE DATABASE empty_for_cli")
    await connection.close()
    monkeypatch.setenv("DATABASE_URL", re.sub(r"/test_\w+", "/empty_for_cli", dsn))
    yield os.environ["DATABASE_URL"]
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP DATABASE empty_for_cli WITH (FORCE)")
    await connection.close()


@pytest.fixture
def assay(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Outcome]]:
    """Runs a command in this process."""
    handler = signal.getsignal(signal.SIGINT)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["assay", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    yield run
    signal.signal(signal.SIGINT, handler)
    root.handlers, root.level = handlers, level


class Command:
    """A running command."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.err = ""

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """Read standard error until a line of it matches."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.err += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"no {pattern!r} in {self.err}")

    def end(self, number: signal.Signals) -> Outcome:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> Outcome:
        """Wait for the end."""
        out, err = self.process.communicate(timeout=START_SECONDS)
        return Outcome(self.process.returncode, out, self.err + err)


@pytest.fixture
def spawn() -> Callable[..., Any]:
    """Starts a command as a process, and ends it at the latest with the context."""

    @contextmanager
    def start(*arguments: object) -> Iterator[Command]:
        with subprocess.Popen(
            [sys.executable, "-m", "assay.cli.main", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Command(process)
            finally:
                process.kill()

    return start


@pytest.fixture
def query(dsn: str) -> Callable[..., list[Any]]:
    """Asks the database that DATABASE_URL names."""

    async def ask(sql: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    def run(sql: str, *values: object) -> list[Any]:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(ask(sql, *values))

    return run
