"""How fast the results of a large run are read over HTTP, while another run is writing.

    python benchmarks/results_pages.py                  # 100,000 cells; exit code 1 above 100 ms

A completed run is put into the database: as many items as half the cells, two models, answers of
300 characters, a fifth of them failed and a hundredth errors. Then every kind of page is asked for
in turns by one client, with pages that are followed by their cursors, while a worker is busy with
another run that stores about a thousand results a second in the same tables.
"""

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from uuid import UUID

import httpx2
from rich.console import Console
from rich.table import Table

from assay import wiring
from assay.core.database import Database
from assay.playground.runs.models import EvalRun
from assay.playground.runs.summary import summarize
from assay.testing.scripted_process import run_load_server
from installation import installation
from processes import command, post, server
from run_engine import make_dataset, make_version

assert EvalRun.metadata is wiring.metadata  # which knows all tables that a run refers to

BAR = 100.0
"""Milliseconds at the 95th percentile."""

WARM_UP = 5
FILL = (Path(__file__).parent / "results_pages.sql").read_text()


@dataclass(slots=True)
class Kind:
    """A kind of page: what it is called, where it is, and how long each took in ms."""

    name: str
    path: str
    query: dict[str, str | int | bool] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    next_url: str | None = None
    rows: int = 0

    def ask(self, client: httpx2.Client, run_id: str) -> None:
        """Ask for the next page, or the first one again after the last."""
        start = time.perf_counter()
        if self.next_url:
            response = client.get(self.next_url)
        else:
            url = f"/api/v1/eval-runs/{run_id}/{self.path}"
            response = client.get(url, params=self.query)
        body = response.raise_for_status().json()
        self.times.append((time.perf_counter() - start) * 1000)
        self.rows += len(body)
        self.next_url = response.links.get("next", {}).get("url")

    def percentile(self, percent: int) -> float:
        """Of the times, without those of the first few."""
        return quantiles(self.times[WARM_UP:], n=100, method="inclusive")[percent - 1]


def kinds(item_id: str) -> list[Kind]:
    """All kinds of pages."""
    results = [
        Kind("results", "results"),
        Kind("results, 200 rows", "results", {"limit": 200}),
        Kind("of a model", "results", {"model": "bench/b"}),
        Kind("passed", "results", {"passed": True}),
        Kind("not passed", "results", {"passed": False}),
        Kind("errors", "results", {"error": True}),
        Kind("no errors", "results", {"error": False}),
        Kind("failed assertion", "results", {"failed_assertion": "is-json"}),
        Kind("failed assertion, none", "results", {"failed_assertion": "no such"}),
        Kind("search, many", "results", {"search": "refund"}),
        Kind("search, one in 1,000", "results", {"search": "needle"}),
        Kind("search, none", "results", {"search": "no such text"}),
        Kind("of an item", "results", {"item_id": item_id}),
        Kind("of a repetition", "results", {"repetition": 0}),
    ]
    sorts = [
        Kind(f"by {sort}, {order}", "results", {"sort": sort, "order": order})
        for sort in ("score", "cost", "latency")
        for order in ("asc", "desc")
    ]
    others = [
        Kind("errors by cost", "results", {"error": True, "sort": "cost", "order": "desc"}),
        Kind("search by score", "results", {"search": "refund", "sort": "score"}),
        Kind("matrix", "matrix"),
        Kind("matrix, 200 rows", "matrix", {"limit": 200}),
        Kind("matrix, disagreements", "matrix", {"show": "disagreements"}),
        Kind("matrix, failures", "matrix", {"show": "failures"}),
        Kind("summary", "summary"),
    ]
    return results + sorts + others


async def fill(database: Database, version: str, cells: int) -> tuple[str, str]:
    """A completed run of so many cells; gives its id and that of an item."""
    connection = await database.connect()
    try:
        run_id, item_id = await connection.fetchrow(FILL, UUID(version), cells // 2)
        async with database.session() as session:
            run = await session.get_one(EvalRun, run_id)
            run.summary = await summarize(session, run)
        # A server does this by itself within a minute or two of so many new rows.
        await connection.execute("VACUUM (ANALYZE) playground.eval_results")
        await connection.execute("VACUUM (ANALYZE) playground.dataset_items")
    finally:
        await connection.close()
    return str(run_id), str(item_id)


@contextmanager
def another_run(url: str, version: str, dataset: str, in_flight: int) -> Iterator[list[int]]:
    """Keeps a run going on, one after the other; the list gets the cells of each that ended."""
    written: list[int] = []
    ending = threading.Event()
    body = {
        "prompt_version_id": version,
        "dataset_id": dataset,
        "models": [{"model": "openai/scripted"}],
        "assertions": [{"type": "contains", "value": "{{expected_output}}"}],
        "concurrency": in_flight,
    }

    def keep_on() -> None:
        with httpx2.Client(base_url=url, timeout=60) as client:
            while not ending.is_set():
                run_id = post(client, "/eval-runs", body)["id"]
                while True:
                    run = client.get(f"/api/v1/eval-runs/{run_id}").json()
                    if ending.is_set() or run["status"] not in ("pending", "running"):
                        break
                    time.sleep(0.5)
                written.append(run["progress"]["completed"])

    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        yield written
    finally:
        ending.set()
        thread.join()


def print_table(measured: list[Kind], cells: int, rate: float) -> None:
    """The times of each kind."""
    table = Table(title=f"A run of {cells:,} cells, another one storing {rate:,.0f} cells/s")
    for column in ("page", "asked", "rows", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "page" else "right")
    for kind in measured:
        p50, p95, p99 = (f"{kind.percentile(percent):.0f}" for percent in (50, 95, 99))
        mark = " [red]![/red]" if kind.percentile(95) >= BAR else ""
        table.add_row(kind.name, str(len(kind.times)), str(kind.rows), p50, p95 + mark, p99)
    Console(width=100).print(table)


def main() -> int:
    """Measure, print, and say whether the bar is met."""
    parser = argparse.ArgumentParser(description="How fast results are read.")
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=60, help="pages of each kind")
    parser.add_argument("--in-flight", type=int, default=64, help="of the run that is writing")
    arguments = parser.parse_args()
    with (
        run_load_server(0.05) as model,
        installation() as place,
        server({**place.env, "OPENAI_BASE_URL": model.base_url}) as served,
        command("worker", env={**place.env, "OPENAI_BASE_URL": model.base_url}),
        httpx2.Client(base_url=served.url, timeout=60) as client,
    ):
        version, use_case = make_version(client)
        dataset = make_dataset(client, use_case, 20_000)
        run_id, item_id = place.do(lambda base: fill(base, version, arguments.cells))
        measured = kinds(item_id)
        with another_run(served.url, version, dataset, arguments.in_flight) as written:
            time.sleep(5)
            start = time.perf_counter()
            for _, kind in itertools.product(range(arguments.rounds + WARM_UP), measured):
                kind.ask(client, run_id)
            seconds = time.perf_counter() - start
    print_table(measured, arguments.cells, sum(written) / (seconds + 5))
    slow = [kind.name for kind in measured if kind.percentile(95) >= BAR]
    if slow:
        print(f"at or above {BAR:.0f} ms at the 95th percentile: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
