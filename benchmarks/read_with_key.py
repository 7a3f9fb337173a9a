"""What a plain read with an API key costs, against a bare FastAPI route with the same query.

    python benchmarks/read_with_key.py

Both servers run the whole time, on one database, and are asked in turn by the same client, a few
requests at a time, so that a busy moment hits both. A round gives a p50 and a p99 for each; the
middle one of all rounds counts. The bar is 1.5 times the bare route.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

import uvloop
from rich.console import Console
from rich.table import Table

from assay.core.database import Database
from assay.identity.actor import Role
from installation import Installation, installation, make_person, make_projects
from processes import free_port, running, server, wait_for

BAR = 1.5
BARE, ADMIN, VIEWER = "bare route", "key of an admin", "key of a viewer"
TURN = 40
"""Requests to one before the next has its turn: so short that a busy moment hits all of them."""


@dataclass(slots=True)
class Target:
    """Something to ask: where, and what it gave so far, by the number of askers at a time."""

    name: str
    url: str
    headers: dict[str, str]
    p50: dict[int, list[float]] = field(default_factory=dict)
    p99: dict[int, list[float]] = field(default_factory=dict)

    @property
    def request(self) -> bytes:
        """The request as it is sent."""
        parts = urlsplit(self.url)
        lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Accept: */*"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


class Asker(asyncio.Protocol):
    """One kept connection that asks the same again and again, for the time each answer takes."""

    def __init__(self, request: bytes) -> None:
        """Ask `request`."""
        self._request = request
        self._received = b""
        self._answer: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A part of an answer is there."""
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap or self._answer is None:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        self._received = b""
        if head.startswith(b"HTTP/1.1 200 "):
            self._answer.set_result(None)
        else:
            self._answer.set_exception(RuntimeError(head.decode() + body.decode()))

    def connection_lost(self, _error: Exception | None) -> None:
        """The server ended the connection."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(RuntimeError("the server ended the connection"))

    async def ask(self, times: int) -> list[float]:
        """Seconds that each of so many answers took, asked one after the other."""
        assert self._transport is not None
        loop, taken = asyncio.get_running_loop(), []
        for _ in range(times):
            self._answer = loop.create_future()
            start = time.perf_counter()
            self._transport.write(self._request)
            await self._answer
            taken.append(time.perf_counter() - start)
        return taken

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


async def connect(target: Target, at_once: int) -> list[Asker]:
    """So many connections to it."""
    parts, request = urlsplit(target.url), target.request
    host, port = parts.hostname or "", parts.port or 80
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Asker(request), host, port))[1]
        for _ in range(at_once)
    ]


async def ask(askers: list[Asker], requests: int) -> list[float]:
    """Seconds of each answer, with all of them asking at once."""
    taken = await asyncio.gather(*(asker.ask(requests // len(askers)) for asker in askers))
    return [seconds for some in taken for seconds in some]


async def measure(targets: list[Target], at_once: int, rounds: int, requests: int) -> None:
    """Ask all of them in turn, a few requests at a time."""
    askers = [await connect(target, at_once) for target in targets]
    # In the first round statements are prepared and keys become known; it does not count.
    for round_number in range(rounds + 1):
        taken: list[list[float]] = [[] for _ in targets]
        for turn in range(requests // TURN):
            # None of them always comes behind the same other one.
            for step in range(len(targets)):
                number = (turn + step * (1 if turn % 2 else -1)) % len(targets)
                taken[number] += await ask(askers[number], TURN)
        for target, seconds in zip(targets, taken, strict=True) if round_number else ():
            hundredths = quantiles(seconds, n=100)
            target.p50.setdefault(at_once, []).append(hundredths[49])
            target.p99.setdefault(at_once, []).append(hundredths[98])
    for some in askers:
        for asker in some:
            asker.close()


async def measure_all(
    targets: list[Target], at_once: list[int], rounds: int, requests: int
) -> None:
    """Ask one at a time, and then with more at once."""
    for width in at_once:
        await measure(targets, width, rounds, requests)


@contextmanager
def servers(installed: Installation) -> Iterator[list[Target]]:
    """The bare route, and Assay with the keys of an admin and of a viewer."""

    async def fill(database: Database) -> tuple[UUID, str, str]:
        authenticator = installed.authenticator(database)
        async with database.session() as session:
            pepper = await authenticator.pepper(session)
            project, *others = await make_projects(session, 20)
            admin = await make_person(session, Role.admin, [], "admin", pepper)
            viewer = await make_person(
                session, Role.viewer, [project, *others[:5]], "viewer", pepper
            )
        return project, admin, viewer

    project, admin, viewer = installed.do(fill)
    port = str(free_port())
    uvicorn = (
        *(sys.executable, "-m", "uvicorn", "--app-dir", "benchmarks", "bare_read:app"),
        *("--port", port, "--http", "httptools", "--no-access-log", "--log-level", "warning"),
    )
    bare = f"http://127.0.0.1:{port}/projects/{project}"
    env = {"BARE_DATABASE_URL": installed.dsn}
    with server(installed.env) as ours, running(*uvicorn, env=env):
        wait_for(bare)
        url = f"{ours.url}/api/v1/projects/{project}"
        keys = {ADMIN: admin, VIEWER: viewer}
        yield [
            Target(BARE, bare, {}),
            *(Target(name, url, {"Authorization": f"Bearer {key}"}) for name, key in keys.items()),
        ]


def ratios(targets: list[Target], at_once: int) -> dict[str, tuple[float, float]]:
    """By name, the middle p50 and p99 as multiples of those of the bare route."""
    bare = targets[0]
    return {
        target.name: (
            median(target.p50[at_once]) / median(bare.p50[at_once]),
            median(target.p99[at_once]) / median(bare.p99[at_once]),
        )
        for target in targets[1:]
    }


def print_table(targets: list[Target], at_once: list[int], rounds: int, requests: int) -> None:
    """What was measured, a line each."""
    table = Table(title=f"A read by id; {rounds} rounds of {requests:,} requests to each")
    table.add_column("")
    for column in ("at once", "p50 ms", "p99 ms", "p50 / bare", "p99 / bare"):
        table.add_column(column, justify="right")
    for width in at_once:
        beside = ratios(targets, width)
        for target in targets:
            p50, p99 = median(target.p50[width]), median(target.p99[width])
            times = [f"{ratio:.2f}" for ratio in beside.get(target.name, ())] or ["", ""]
            table.add_row(target.name, f"{width}", f"{p50 * 1000:.2f}", f"{p99 * 1000:.2f}", *times)
    Console(width=100).print(table)


def main() -> int:
    """Measure, print, and give 1 where the bar is not met."""
    parser = argparse.ArgumentParser(description="What a plain read with an API key costs.")
    parser.add_argument("--rounds", type=int, default=15, help="the middle one is shown")
    parser.add_argument("--requests", type=int, default=600, help="to each in a round")
    arguments = parser.parse_args()
    rounds, requests, at_once = arguments.rounds, arguments.requests, [1, 8]
    with (
        installation() as installed,
        servers(installed) as targets,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(measure_all(targets, at_once, rounds, requests))
    print_table(targets, at_once, rounds, requests)
    worst = max(max(pair) for pair in ratios(targets, at_once[0]).values())
    print(
        f"{'met' if worst <= BAR else 'MISSED'}: at most {BAR} times the bare route, one at a time"
    )
    return int(worst > BAR)


if __name__ == "__main__":
    sys.exit(main())
