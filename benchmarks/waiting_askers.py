"""How long an answer takes from the reviewer to the asker who waits, and what waiting costs.

    python benchmarks/waiting_askers.py

Askers hold on to `GET /api/v1/requests/{id}?wait=60` of a real server; a reviewer answers one of
the requests, and the time counts from before `respond` is sent until the asker has the decision.
First one asker waits, then a thousand at once, of whom each answer reaches one.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from assay.core.database import Database
from installation import Installation, installation
from processes import Server, server

BAR_MILLISECONDS = 50.0
MOST_CONNECTIONS = 40
MOST_THREADS = 40
YES = {"value": {"approved": True}}


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it with so many askers who waited.

    Attributes:
        askers: how many waited when the first answer was given.
        milliseconds: from the reviewer to the asker, of each answer.
        megabytes: what the server grew by while they waited.
        threads: of the server while they waited.
        connections: to the database while they waited.
    """

    askers: int
    milliseconds: Sequence[float]
    megabytes: float
    threads: int
    connections: int


class Room:
    """The server, as askers and reviewers use it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """Call the server at `url`."""
        self._session = session
        self._url = f"{url}/api/v1/requests"

    async def ask(self) -> str:
        """A new request; gives its id."""
        made = await self._call("POST", "", {"title": "Refund?", "kind": "approve"})
        return str(made["id"])

    async def answered(self, request_id: str) -> float:
        """Wait until it is answered; gives the moment."""
        while True:
            row = await self._call("GET", f"/{request_id}?wait=60")
            moment = time.perf_counter()
            if row["status"] == "answered":
                return moment

    async def respond(self, request_id: str) -> float:
        """Answer it; gives the moment before."""
        moment = time.perf_counter()
        await self._call("POST", f"/{request_id}/respond", YES)
        return moment

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        async with self._session.request(method, self._url + path, json=body) as response:
            row: dict[str, Any] = await response.json()
            if not response.ok:
                raise RuntimeError(f"{response.status} {row}")
            return row


async def measure(installed: Installation, served: Server, askers: int, answers: int) -> Measured:
    """Let so many wait, and answer some of them one after another."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        room = Room(session, served.url)
        before = served.process.memory_info().rss
        ids = [await room.ask() for _ in range(askers)]
        waiting = {each: asyncio.create_task(room.answered(each)) for each in ids}
        await asyncio.sleep(3)
        megabytes = (served.process.memory_info().rss - before) / 1e6
        threads, connections = served.process.num_threads(), await _connections(installed)
        times = []
        for count in range(answers):
            # Whoever has got an answer asks again, so that as many wait all the time.
            request_id = ids[count]
            sent = await room.respond(request_id)
            times.append(1000 * (await waiting.pop(request_id) - sent))
            again = await room.ask()
            ids.append(again)
            waiting[again] = asyncio.create_task(room.answered(again))
            await asyncio.sleep(0.02)
        for task in waiting.values():
            task.cancel()
        await asyncio.gather(*waiting.values(), return_exceptions=True)
    return Measured(askers, times, megabytes, threads, connections)


async def _connections(installed: Installation) -> int:
    database = Database(installed.dsn)
    try:
        async with database.session() as session:
            counted = await session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid()"
                )
            )
    finally:
        await database.dispose()
    return counted or 0


def print_table(outcomes: Sequence[Measured]) -> None:
    """What was measured."""
    table = Table(title="From respond to the asker who waits")
    for name in ("waiting", "p50 ms", "p95 ms", "p99 ms", "MB more", "threads", "connections"):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        cuts = quantiles(outcome.milliseconds, n=100)
        times = [f"{cuts[place - 1]:.1f}" for place in (50, 95, 99)]
        table.add_row(
            f"{outcome.askers:,}",
            *times,
            f"{outcome.megabytes:.1f}",
            str(outcome.threads),
            str(outcome.connections),
        )
    Console(width=100).print(table)


def faults_of(outcome: Measured) -> list[str]:
    """Which bars were not met."""
    faults = []
    middle = quantiles(outcome.milliseconds, n=100)[49]
    if middle >= BAR_MILLISECONDS:
        faults.append(f"{outcome.askers} askers: {middle:.0f} ms at the median")
    if outcome.threads > MOST_THREADS:
        faults.append(f"{outcome.askers} askers: {outcome.threads} threads")
    if outcome.connections > MOST_CONNECTIONS:
        faults.append(f"{outcome.askers} askers: {outcome.connections} connections")
    return faults


def main() -> int:
    """Measure, print, and say whether the bars are met."""
    parser = argparse.ArgumentParser(description="Time from respond to a waiting asker.")
    parser.add_argument("--askers", type=int, default=1000, help="who wait at once")
    parser.add_argument("--answers", type=int, default=300, help="of each kind")
    arguments = parser.parse_args()
    with installation() as installed, server(installed.env) as served:
        outcomes = [
            asyncio.run(measure(installed, served, askers, arguments.answers))
            for askers in (1, arguments.askers)
        ]
    print_table(outcomes)
    faults = [fault for outcome in outcomes for fault in faults_of(outcome)]
    for fault in faults:
        print(f"not met: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
