"""How fast the history is read over HTTP, with its totals, among a million entries.

    python benchmarks/apps_history.py            # 1,000,000 entries; exit code 1 above 50 ms

Nine tenths of the entries belong to whoever asks, the others to somebody else; they are of three
apps, four types of sources and 20,000 entities, a hundredth are errors, and each has data of some
300 characters. Every kind of page is asked for in turns by one client.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import quantiles

import httpx2
from rich.console import Console
from rich.table import Table

from assay.core.database import Database
from installation import installation
from processes import server

BAR = 50.0
"""Milliseconds at the 95th percentile."""

WARM_UP = 10
START = 1_700_000_000_000
FILL = """
INSERT INTO apps.history (
    id, app_id, entity_type, entity_id, source_type, source_id, status, duration_ms, data,
    timestamp, user_id
)
SELECT uuidv7(), 'app' || number % 3, 'listing', 'entity' || number % 20011,
    'source' || number % 4, 'id' || number % 5003,
    CASE WHEN number % 101 = 0 THEN 'error' ELSE 'success' END, number % 977,
    jsonb_build_object('text', repeat('word ', 60), 'score', number % 100),
    $2 + CAST(number AS bigint) * 1000, CASE WHEN number % 10 = 9 THEN 'other' ELSE 'default' END
FROM generate_series(1, $1) AS number
"""


@dataclass(slots=True)
class Kind:
    """A kind of page: what it is called, what is asked, how long each took, and the total."""

    name: str
    query: Mapping[str, str | int]
    times: list[float] = field(default_factory=list)
    total: str = ""

    def ask(self, client: httpx2.Client) -> None:
        """Ask for the page."""
        start = time.perf_counter()
        response = client.get("/api/history", params=self.query)
        response.raise_for_status().json()
        self.times.append((time.perf_counter() - start) * 1000)
        self.total = response.headers["X-Total-Count"]

    def percentile(self, percent: int) -> float:
        """Of the times, without those of the first few."""
        return quantiles(self.times[WARM_UP:], n=100, method="inclusive")[percent - 1]


def kinds(entries: int) -> list[Kind]:
    """All kinds of pages."""
    middle, day = START + entries * 500, 86_400_000
    source = {"source_type": "source1", "source_id": "id17"}
    return [
        Kind("all", {}),
        Kind("all, offset 5,000", {"offset": 5000}),
        Kind("of an app", {"app_id": "app1"}),
        Kind("of an app, offset 5,000", {"app_id": "app1", "offset": 5000}),
        Kind("of an app, 500 rows", {"app_id": "app1", "limit": 500}),
        Kind("of an app and type", {"app_id": "app1", "source_type": "source2"}),
        Kind("errors of an app", {"app_id": "app1", "status": "error"}),
        Kind("successes of an app", {"app_id": "app1", "status": "success"}),
        Kind("of an entity", {"app_id": "app1", "entity_type": "listing", "entity_id": "entity7"}),
        Kind("of a source", source),
        Kind("of an entity and source", {**source, "entity_id": "entity17"}),
        Kind("since", {"app_id": "app1", "since": middle}),
        Kind("until", {"app_id": "app1", "until": middle}),
        Kind("a day", {"app_id": "app1", "since": middle, "until": middle + day}),
        Kind("none", {"app_id": "app1", "source_type": "nothing"}),
    ]


async def fill(database: Database, entries: int) -> None:
    """Put the entries into the database."""
    connection = await database.connect()
    try:
        await connection.execute(FILL, entries, START)
        # A server does this by itself within a minute or two of so many new rows.
        await connection.execute("VACUUM (ANALYZE) apps.history")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def print_table(measured: list[Kind], entries: int) -> None:
    """The times of each kind."""
    table = Table(title=f"A history of {entries:,} entries")
    for column in ("page", "total", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "page" else "right")
    for kind in measured:
        p50, p95, p99 = (f"{kind.percentile(percent):.0f}" for percent in (50, 95, 99))
        mark = " [red]![/red]" if kind.percentile(95) >= BAR else ""
        table.add_row(kind.name, kind.total, p50, p95 + mark, p99)
    Console(width=100).print(table)


def main() -> int:
    """Measure, print, and say whether the bar is met."""
    parser = argparse.ArgumentParser(description="How fast the history is read.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60, help="pages of each kind")
    arguments = parser.parse_args()
    measured = kinds(arguments.entries)
    with (
        installation() as place,
        server(place.env) as served,
        httpx2.Client(base_url=served.url, timeout=60) as client,
    ):
        place.do(lambda base: fill(base, arguments.entries))
        for _, kind in itertools.product(range(arguments.rounds + WARM_UP), measured):
            kind.ask(client)
    print_table(measured, arguments.entries)
    slow = [kind.name for kind in measured if kind.percentile(95) >= BAR]
    if slow:
        print(f"at or above {BAR:.0f} ms at the 95th percentile: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
