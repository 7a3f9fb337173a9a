"""Start Assay's real processes for a benchmark, each on the core it should have."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psutil

from assay.core.embedded import EmbeddedDatabase

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Assay:
    """A running server with a client for it, and its workers."""

    client: httpx2.Client
    workers: list[psutil.Process]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server without a worker."""

    url: str
    process: psutil.Process


def cores() -> tuple[set[int], set[int]]:
    """The cores for the worker and for all else: one of its own for the worker if there are two."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        return set(available), set(available)
    return {available[-1]}, set(available[:-1])


def pin(process: int, to: set[int]) -> None:
    """Let a process (0: this one) run on these cores only, where the system can do that."""
    if to and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process, to)


@contextmanager
def running(
    *command: str, env: Mapping[str, str], core: Collection[int] = ()
) -> Iterator[psutil.Process]:
    """A process, on these cores or on any, ended gently with the context."""
    before = os.sched_getaffinity(0) if core else set()
    pin(0, set(core))  # children inherit it, from their first moment
    process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    pin(0, before)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def command(
    *arguments: str, env: Mapping[str, str], core: Collection[int] = ()
) -> AbstractContextManager[psutil.Process]:
    """As `running`, a process of `assay ...`."""
    return running(sys.executable, "-m", "assay.cli.main", *arguments, env=env, core=core)


@contextmanager
def assay(model_url: str, *, workers: int = 1, **settings: str) -> Iterator[Assay]:
    """A server without a worker inside, and `workers` beside it on a core of their own.

    The embedded database starts with the server and shares its cores. Everything lives in a
    folder that is removed at the end.
    """
    worker_core, other_cores = cores()
    with ExitStack() as stack:
        env = {
            "ASSAY_HOME": stack.enter_context(temporary_home()),
            "OPENAI_BASE_URL": model_url,
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        served = stack.enter_context(server(env, core=other_cores))
        client = stack.enter_context(httpx2.Client(base_url=served.url, timeout=120))
        started = [
            stack.enter_context(command("worker", env=env, core=worker_core))
            for _ in range(workers)
        ]
        time.sleep(3)  # a worker's imports are not what is measured
        yield Assay(client, started)


@contextmanager
def server(env: Mapping[str, str], core: Collection[int] = ()) -> Iterator[Server]:
    """`assay up` without a worker inside, on a free port, ready to answer."""
    port = str(free_port())
    own = {"API_PORT": port, "SERVER_WORKERS": "0", **env}
    with command("up", env=own, core=core) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health")
        yield Server(url, process)


@contextmanager
def temporary_home() -> Iterator[str]:
    """A folder for ASSAY_HOME, which PostgreSQL's own user can enter; removed at the end."""
    with TemporaryDirectory(prefix="assay-bench-") as home:
        Path(home).chmod(0o755)
        yield home


@contextmanager
def embedded_database(home: str) -> Iterator[str]:
    """The address of an empty embedded PostgreSQL in this folder; it stops at the end."""
    embedded = EmbeddedDatabase(Path(home))
    dsn = embedded.start()
    try:
        asyncio.run(embedded.ensure_database())
        yield dsn
    finally:
        embedded.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str) -> None:
    """Until a server answers at this address."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(httpx2.TransportError):
            if httpx2.get(url).status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the server did not start")


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time that a process has used so far, in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


def peak_megabytes(process: psutil.Process) -> float:
    """The most memory a process has had resident so far."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return float(process.memory_info().rss) / 1e6
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def post(client: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST and give the answer, or fail with what the server said."""
    response = client.post(f"/api/v1{path}", json=body)
    if response.is_error:
        raise RuntimeError(f"{path}: {response.status_code} {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
