"""Start Assay's real processes for a benchmark, each on the core it should have."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psutil

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Assay:
    """A running server with a client for it, and its workers."""

    client: httpx2.Client
    workers: list[psutil.Process]


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
def command(*arguments: str, env: dict[str, str], core: set[int]) -> Iterator[psutil.Process]:
    """A process of `assay ...`, ended gently with the context."""
    before = os.sched_getaffinity(0) if core else set()
    pin(0, core)  # children inherit it, from their first moment
    process = subprocess.Popen(
        [sys.executable, "-m", "assay.cli.main", *arguments],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
    )
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


@contextmanager
def assay(model_url: str, *, workers: int = 1, **settings: str) -> Iterator[Assay]:
    """A server without a worker inside, and `workers` beside it on a core of their own.

    The embedded database starts with the server and shares its cores. Everything lives in a
    folder that is removed at the end.
    """
    worker_core, other_cores = cores()
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory(prefix="assay-bench-"))
        Path(home).chmod(0o755)
        port = str(free_port())
        env = {
            "ASSAY_HOME": home,
            "API_PORT": port,
            "SERVER_WORKERS": "0",
            "OPENAI_BASE_URL": model_url,
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        stack.enter_context(command("up", env=env, core=other_cores))
        client = stack.enter_context(
            httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)
        )
        _wait_for(client)
        running = [
            stack.enter_context(command("worker", env=env, core=worker_core))
            for _ in range(workers)
        ]
        time.sleep(3)  # a worker's imports are not what is measured
        yield Assay(client, running)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(client: httpx2.Client) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx2.TransportError:
            pass
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
