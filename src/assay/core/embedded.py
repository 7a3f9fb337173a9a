"""The embedded PostgreSQL: a real server of our own where no DATABASE_URL is given."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import asyncpg

from assay.core.errors import SetupError
from assay.core.postgres_server import (
    TARGET_POSTGRES_VERSION,
    LocalServer,
    PostgresServer,
    get_server,
    pgexec,
)

__all__ = ["EmbeddedDatabase", "PostgresServer", "get_server", "pgexec"]

DATABASE = "assay"
# pg_ctl hands its paths to a shell and to settings that are lists.
_UNFIT_FOR_PATHS = frozenset('"$`\\,\n')


class EmbeddedDatabase:
    """A PostgreSQL whose data lives under `home`, reached by a unix socket.

    Several processes may use it at once; it stops when the last of them does. One that was
    killed leaves it running, and the next start finds it again.
    """

    def __init__(self, home: Path) -> None:
        """Nothing is started yet; `home` is made when missing."""
        self.home = home.resolve()
        self._data = self.home / "postgresql"
        self._server: LocalServer | None = None

    def start(self) -> str:
        """Start the server or join a running one; give the libpq address of the database.

        The first start takes a few seconds (it makes the data folder), later ones one.

        Raises:
            SetupError: `home` cannot be used, holds the data of another version of
                PostgreSQL, or PostgreSQL does not start.
        """
        self._prepare_home()
        server: LocalServer | None = None
        try:
            self._require_version()
            server = LocalServer(self._data)
            server.start()
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            reason = (server.complaint() if server else "") or str(error)
            raise SetupError(
                f"The embedded PostgreSQL under {self.home} does not start: {reason}. Its log "
                f"is {self._data / 'log'}; or set DATABASE_URL to use your own."
            ) from error
        self._server = server
        return server.dsn(DATABASE)

    async def ensure_database(self) -> None:
        """Make the database `assay` in the running server unless it is there.

        Raises:
            SetupError: the server does not answer.
        """
        assert self._server is not None
        try:
            connection = await asyncpg.connect(self._server.dsn("postgres"))
            try:
                # Of two that make it at once the second finds its name taken.
                with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                    await connection.execute(f"CREATE DATABASE {DATABASE}")
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise SetupError(
                f"The embedded PostgreSQL under {self.home} does not answer: {error}. "
                f"Its log is {self._data / 'log'}."
            ) from error

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
        if os.name == "posix" and _UNFIT_FOR_PATHS & set(str(self.home)):
            raise SetupError(
                f"ASSAY_HOME {self.home} has a character in its path that PostgreSQL cannot take "
                '(one of " $ ` \\ , or a line break). Set ASSAY_HOME to another folder.'
            )

    def _require_version(self) -> None:
        file, ours = self._data / "PG_VERSION", str(TARGET_POSTGRES_VERSION)
        version = file.read_text().strip() if file.exists() else ours
        if version != ours:
            raise SetupError(
                f"{self._data} was made by PostgreSQL {version}, this Assay brings {ours}. Set "
                f"ASSAY_HOME to another folder, or DATABASE_URL to a PostgreSQL {version} that "
                "you run on this one."
            )
