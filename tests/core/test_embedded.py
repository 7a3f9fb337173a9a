"""The embedded PostgreSQL in homes of its own: real servers, really killed users."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from assay.core.embedded import EmbeddedDatabase
from assay.core.errors import SetupError

USER = """
import asyncio, pathlib, sys
from assay.core.embedded import EmbeddedDatabase
embedded = EmbeddedDatabase(pathlib.Path(sys.argv[1]))
embedded.start()
asyncio.run(embedded.ensure_database())
print("ready", flush=True)
sys.stdin.readline()
embedded.stop()
print("stopped", flush=True)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the tests of this module: to make another takes a while."""
    return tmp_path_factory.mktemp("embedded") / "Application Support" / "ässay's"


@pytest.fixture
def embedded(home: Path) -> Iterator[EmbeddedDatabase]:
    embedded = EmbeddedDatabase(home)
    yield embedded
    embedded.stop()


def postmaster(home: Path) -> int | None:
    """The process id of the PostgreSQL that runs on this home."""
    file = home / "postgresql" / "postmaster.pid"
    if not file.exists():
        return None
    pid = int(file.read_text().splitlines()[0])
    return pid if psutil.pid_exists(pid) else None


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


class User:
    """Another process that uses the database of a home."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.said() == "stopped"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def end_postgresql(home: Path) -> None:
    if pid := postmaster(home):
        os.kill(pid, signal.SIGINT)


@pytest.fixture
def join() -> Iterator[type[User]]:
    """Starts users, who are gone at the end of the test, and PostgreSQL where it is left over."""
    with contextlib.ExitStack() as stack:

        class Ended(User):
            def __init__(self, home: Path) -> None:
                super().__init__(home)
                stack.callback(end_postgresql, home)
                stack.enter_context(self.process)
                stack.callback(self.process.kill)

        yield Ended


async def test_it_comes_and_goes_and_keeps_what_was_stored(
    home: Path, embedded: EmbeddedDatabase
) -> None:
    dsn = embedded.start()
    await embedded.ensure_database()
    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT current_database()") == "assay"
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    embedded.stop()
    assert postmaster(home) is None
    with pytest.raises(OSError, match=r"No such file|refused"):
        await asyncpg.connect(dsn)
    dsn = embedded.start()
    await embedded.ensure_database()
    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT number FROM kept") == 7


async def test_only_its_owner_gets_to_it(home: Path, embedded: EmbeddedDatabase) -> None:
    dsn = embedded.start()
    assert (home / "postgresql").stat().st_mode & 0o077 == 0
    await embedded.ensure_database()
    async with connected(dsn) as connection:
        assert await connection.fetchval("SHOW listen_addresses") == ""


def test_it_stays_until_its_last_user_goes(
    home: Path, embedded: EmbeddedDatabase, join: type[User]
) -> None:
    embedded.start()
    first = postmaster(home)
    other = join(home)
    assert other.said() == "ready"
    embedded.stop()
    assert postmaster(home) == first
    other.stop()
    assert postmaster(home) is None


def test_it_outlives_a_killed_user_and_is_found_again(
    home: Path, embedded: EmbeddedDatabase, join: type[User]
) -> None:
    user = join(home)
    assert user.said() == "ready"
    left = postmaster(home)
    user.kill()
    assert postmaster(home) == left
    embedded.start()
    assert postmaster(home) == left
    embedded.stop()
    assert postmaster(home) is None


def test_a_user_killed_meanwhile_does_not_keep_it(
    home: Path, embedded: EmbeddedDatabase, join: type[User]
) -> None:
    embedded.start()
    user = join(home)
    assert user.said() == "ready"
    user.kill()
    embedded.stop()
    assert postmaster(home) is None


async def test_what_a_crash_leaves_behind_does_not_hinder_it(
    home: Path, embedded: EmbeddedDatabase
) -> None:
    data = home / "postgresql"
    embedded.start()
    pid_file = (data / "postmaster.pid").read_text()
    embedded.stop()
    # The process id of back then belongs to another program now; the list broke off.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{pid_file.partition(chr(10))[2]}")
    (data / ".handle_pids.json").write_text("[12, ")
    dsn = embedded.start()
    await embedded.ensure_database()
    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    embedded.stop()
    assert postmaster(home) is None


def test_postgresql_is_quoted_when_it_does_not_start(
    home: Path, embedded: EmbeddedDatabase
) -> None:
    embedded.start()
    embedded.stop()
    settings = home / "postgresql" / "postgresql.conf"
    good = settings.read_text()
    settings.write_text(good + "\nport = many\n")
    with pytest.raises(SetupError) as refusal:
        embedded.start()
    settings.write_text(good)
    assert "configuration file" in refusal.value.detail
    assert str(home / "postgresql" / "log") in refusal.value.detail
    assert "DATABASE_URL" in refusal.value.detail
    embedded.start()


async def test_two_first_starts_at_once(tmp_path: Path, join: type[User]) -> None:
    home = tmp_path / "home"
    # What a first start leaves that was killed while it made the data folder.
    (home / "postgresql.new").mkdir(parents=True)
    (home / "postgresql.new" / "PG_VERSION").write_text("18\n")
    users = [join(home) for _ in range(2)]
    assert [await asyncio.to_thread(user.said) for user in users] == ["ready", "ready"]
    for user in users:
        await asyncio.to_thread(user.stop)
    assert postmaster(home) is None


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For temporary files, with a path much shorter than pytest's own."""
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        Path(folder).chmod(0o711)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def only_folder(parent: Path) -> Path:
    [folder] = [path for path in parent.iterdir() if path.is_dir()]
    return folder


async def test_a_home_too_deep_for_a_socket(tmp_path: Path, short_folder: Path) -> None:
    home = tmp_path / ("deep" * 30) / "home"
    embedded = EmbeddedDatabase(home)
    dsn = embedded.start()
    try:
        folder = only_folder(short_folder)
        assert folder.stat().st_mode & 0o077 == 0
        await embedded.ensure_database()
        async with connected(dsn) as connection:
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        embedded.stop()
    # Whoever puts a folder there first could listen in.
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(SetupError, match="belongs to somebody else"):
        embedded.start()


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError) as refusal:
        EmbeddedDatabase(tmp_path / "file" / "home").start()
    assert str(tmp_path / "file" / "home") in refusal.value.detail
    assert "ASSAY_HOME" in refusal.value.detail


@pytest.mark.parametrize("name", ['a"b', "a$b", "a`b", "a\\b", "a,b"])
def test_a_home_that_postgresql_cannot_take(tmp_path: Path, name: str) -> None:
    with pytest.raises(SetupError) as refusal:
        EmbeddedDatabase(tmp_path / name).start()
    assert name in refusal.value.detail
    assert not (tmp_path / name / "postgresql").exists()


@pytest.mark.parametrize("version", ["15", "9.6"])
def test_data_of_another_version(tmp_path: Path, version: str) -> None:
    (tmp_path / "postgresql").mkdir()
    (tmp_path / "postgresql" / "PG_VERSION").write_text(f"{version}\n")
    with pytest.raises(SetupError) as refusal:
        EmbeddedDatabase(tmp_path).start()
    assert f"PostgreSQL {version}," in refusal.value.detail
    assert "18" in refusal.value.detail
    assert "DATABASE_URL" in refusal.value.detail
