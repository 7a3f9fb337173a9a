"""How fast a run goes, from POST /eval-runs to completed, with every result stored.

    python benchmarks/run_engine.py                 # 10,000 cells at 64 and 256 in flight
    python benchmarks/run_engine.py --memory        # 1,000 against 100,000 cells as well

A model server on loopback answers after 50 ms, so at most `in flight / 0.05` cells a second are
possible. The worker has a core to itself; the server, PostgreSQL, the model server and this
program share the other ones. The bare loop is the same work with nothing around it (aiohttp,
Jinja2, inserts every 200 ms), in turn with it on the same core; of three rounds the middle one
counts.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx2
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from assay.testing.scripted_process import ScriptedProcess, run_load_server
from bare_loop import bare_loop
from processes import (
    Assay,
    assay,
    cores,
    cpu_seconds,
    embedded_database,
    peak_megabytes,
    pin,
    post,
    temporary_home,
)

LATENCY = 0.05
BARE = "bare loop"
COLUMNS = (
    *("", "cells", "in flight", "cells/s", "of the possible", "of bare loop", "CPU ms/cell"),
    *("peak MB", "most in flight", "asked"),
)
TEMPLATE = "Answer with the word {{word}}.\n\nMessage: {{message}}"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the table."""

    name: str
    cells: int
    in_flight: int
    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    most_in_flight: int
    asked: int

    @property
    def rate(self) -> float:
        """Cells a second."""
        return self.cells / self.seconds

    @property
    def share(self) -> float:
        """Part of the possible rate."""
        return self.rate / (self.in_flight / LATENCY)

    @property
    def cpu_milliseconds(self) -> float:
        """CPU of the worker for each cell."""
        return 1000 * self.cpu_seconds / self.cells


def make_dataset(client: httpx2.Client, use_case: str, cells: int) -> str:
    """A dataset with as many items as cells."""
    dataset = post(client, f"/use-cases/{use_case}/datasets", {"name": f"{cells} items"})
    path = f"/datasets/{dataset['id']}/items"
    for start in range(0, cells, 1000):
        items = [
            {
                "input": {"word": f"w{number}", "message": f"message number {number}"},
                "expected_output": f"w{number}",
            }
            for number in range(start, min(start + 1000, cells))
        ]
        response = client.post(f"/api/v1{path}", json={"items": items})
        response.raise_for_status()
    return str(dataset["id"])


def measure(
    target: Assay, model: ScriptedProcess, version: str, dataset: str, cells: int, in_flight: int
) -> Measurement:
    """Run `cells` cells and measure what it took."""
    model.reset()
    worker = target.workers[0]
    before = cpu_seconds(worker)
    start = time.perf_counter()
    run = post(
        target.client,
        "/eval-runs",
        {
            "prompt_version_id": version,
            "dataset_id": dataset,
            "models": [{"model": "openai/scripted"}],
            "assertions": [{"type": "contains", "value": "{{expected_output}}"}],
            "concurrency": in_flight,
        },
    )
    run = wait_for(target.client, run["id"])
    seconds = time.perf_counter() - start
    if run["progress"]["completed"] != cells or run["progress"]["passed"] != cells:
        raise RuntimeError(f"not every cell was stored and passed: {run['progress']}")
    stats = model.stats()
    return Measurement(
        "assay",
        cells,
        in_flight,
        seconds,
        cpu_seconds(worker) - before,
        peak_megabytes(worker),
        stats["most_in_flight"],
        stats["requests"],
    )


def wait_for(client: httpx2.Client, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""
    while True:
        run: dict[str, Any] = client.get(f"/api/v1/eval-runs/{run_id}").json()
        if run["status"] not in ("pending", "running"):
            if run["status"] != "completed":
                raise RuntimeError(f"the run ended as {run['status']}: {run['error_message']}")
            return run
        time.sleep(0.1)


def measure_bare_loop(dsn: str, model: ScriptedProcess, cells: int, in_flight: int) -> Measurement:
    """The same work without Assay, in this process on the worker's core."""
    worker_core, other_cores = cores()
    model.reset()
    process = psutil.Process()
    pin(0, worker_core)
    before = cpu_seconds(process)
    start = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bare_loop(dsn, model.base_url, cells, in_flight, TEMPLATE))
    seconds = time.perf_counter() - start
    used = cpu_seconds(process) - before
    pin(0, other_cores)
    stats = model.stats()
    return Measurement(
        BARE,
        cells,
        in_flight,
        seconds,
        used,
        peak_megabytes(process),
        stats["most_in_flight"],
        stats["requests"],
    )


def middle(measurements: list[Measurement]) -> list[Measurement]:
    """Of the rounds of each kind the one in the middle: these machines are noisy."""
    kinds: dict[tuple[str, int, int], list[Measurement]] = {}
    for m in measurements:
        kinds.setdefault((m.name, m.cells, m.in_flight), []).append(m)
    return [sorted(kind, key=lambda m: m.rate)[len(kind) // 2] for kind in kinds.values()]


def print_table(measurements: list[Measurement]) -> None:
    """What was measured, a line each."""
    bare = {(m.cells, m.in_flight): m.rate for m in measurements if m.name == BARE}
    table = Table(title=f"Run engine, model latency {LATENCY * 1000:.0f} ms")
    for column in COLUMNS:
        table.add_column(column, justify="left" if not column else "right")
    for m in measurements:
        beside = bare.get((m.cells, m.in_flight))
        table.add_row(
            m.name,
            f"{m.cells:,}",
            f"{m.in_flight}",
            f"{m.rate:,.0f}",
            f"{m.share:.0%}",
            f"{m.rate / beside:.0%}" if beside else "",
            f"{m.cpu_milliseconds:.2f}",
            f"{m.peak_megabytes:.0f}",
            f"{m.most_in_flight}",
            f"{m.asked:,}",
        )
    Console(width=120).print(table)


def make_version(client: httpx2.Client) -> tuple[str, str]:
    """A prompt to run, and the use case it is in."""
    project = post(client, "/projects", {"name": "Benchmark"})
    use_case = post(client, f"/projects/{project['id']}/use-cases", {"name": "Words"})
    prompt = post(client, f"/use-cases/{use_case['id']}/prompts", {"name": "Say it"})
    template = {"type": "text", "template_text": TEMPLATE}
    version = post(client, f"/prompts/{prompt['id']}/versions", template)
    return str(version["id"]), str(use_case["id"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast a run goes.")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=3, help="the middle one is shown")
    parser.add_argument("--memory", action="store_true", help="also 1,000 and 100,000 cells")
    arguments = parser.parse_args()
    cells = arguments.cells
    _, other_cores = cores()
    pin(0, other_cores)
    measurements = []
    with (
        run_load_server(LATENCY) as model,
        assay(model.base_url) as target,
        temporary_home() as home,
        embedded_database(home) as dsn,
    ):
        version, use_case = make_version(target.client)
        dataset = make_dataset(target.client, use_case, cells)
        for width in arguments.in_flight:
            for _ in range(arguments.rounds):
                measurements += [
                    measure(target, model, version, dataset, cells, width),
                    measure_bare_loop(dsn, model, cells, width),
                ]
        for size in (1_000, 100_000) if arguments.memory else ():
            dataset = make_dataset(target.client, use_case, size)
            measurements.append(measure(target, model, version, dataset, size, 256))
    print_table(middle(measurements))


if __name__ == "__main__":
    main()
