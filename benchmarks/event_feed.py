"""How long an event takes from its commit to the readers of the feed, and whether all of them come.

    python benchmarks/event_feed.py

500 clients follow `GET /api/v1/sse`, of one server and then of two on one database, while another
process writes 200 events a second for 15 seconds. Some clients see everything, some only their
projects, some one topic; some come back after a break, and some stop reading. What each of them
should have got is worked out from the table of events.
"""

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import psutil
from rich.console import Console
from rich.table import Table

from assay.core.database import Database
from assay.events.models import Topic
from assay.identity.actor import Role
from feed_verdict import Client, Outcome, Person, judge, percentiles, read_events
from installation import Installation, installation, make_person, make_projects
from processes import Server, cpu_seconds, server

BAR_MILLISECONDS = 100.0
# The events that a server keeps for all readers are a part of it, and the full buffers of those
# that stopped reading. If all that is written waited for them, one server would grow by 45 MB.
GROWTH_MEGABYTES = 20.0
# Less than this of the wanted pace, and it was not measured what should be.
LEAST_PACE = 0.95
PROJECTS, ADMINS, MEMBERS = 10, 20, 40
DROPPED_WITHIN = 30.0
# Of a hundred clients; those that stop reading come on top.
KINDS = {"all": 40, "projects": 30, "topic": 20, "returning": 10, "stalled": 10}


def make_people(installed: Installation) -> tuple[list[UUID], list[Person]]:
    """Projects, admins, and members who see half of the projects each."""
    random = Random(1)

    async def fill(database: Database) -> tuple[list[UUID], list[Person]]:
        authenticator, people = installed.authenticator(database), []
        async with database.session() as session:
            pepper = await authenticator.pepper(session)
            projects = await make_projects(session, PROJECTS)
            for number in range(ADMINS + MEMBERS):
                admin = number < ADMINS
                own = frozenset() if admin else frozenset(random.sample(projects, PROJECTS // 2))
                role = Role.admin if admin else Role.viewer
                key = await make_person(session, role, own, f"person{number}", pepper)
                people.append(Person(key, None if admin else own))
        return projects, people

    return installed.do(fill)


def make_clients(people: Sequence[Person], ports: Sequence[int], number: int) -> Iterator[Client]:
    """So many clients, spread over the servers; who comes back comes to the next server."""
    kinds = [kind for kind, share in KINDS.items() for _ in range(share * number // 100)]
    admins = [person for person in people if person.projects is None]
    members = [person for person in people if person.projects is not None]
    for count, kind in enumerate(kinds):
        some = members if kind == "projects" else admins
        if kind in {"topic", "returning"}:
            some = (admins, members)[count // 2 % 2]
        topic = Topic.runs if kind == "topic" else None
        here, there = ports[count % len(ports)], ports[(count + 1) % len(ports)]
        yield Client(kind, some[count % len(some)], topic, (here, there))


def measure(
    installed: Installation,
    projects: Sequence[UUID],
    clients: Sequence[Client],
    servers: Sequence[Server],
    pace: tuple[float, int],
) -> Outcome:
    """Connect, write for so many seconds so many events a second, and see what came."""
    seconds, per_second = pace
    reading = _start("feed_clients.py", stdout=subprocess.PIPE)
    try:
        assert reading.stdin is not None
        assert reading.stdout is not None
        orders = {"clients": [client.orders for client in clients], "leave_after": seconds / 3}
        reading.stdin.write(orjson.dumps(orders) + b"\n")
        reading.stdin.flush()
        if not reading.stdout.readline():
            raise RuntimeError("the clients could not connect")
        before = [_megabytes(served) for served in servers]
        used, start = [cpu_seconds(served.process) for served in servers], time.monotonic()
        commits = write(installed, projects, pace)
        took = time.monotonic() - start
        used = [cpu_seconds(s.process) - was for s, was in zip(servers, used, strict=True)]
        clinging = wait_for_drops(servers, sum(client.kind != "stalled" for client in clients))
        after = [_megabytes(served) for served in servers]
        reports = orjson.loads(reading.communicate(b"\n", timeout=120)[0])
    finally:
        reading.kill()
        reading.wait()
    faults, delays, got = judge(clients, reports, commits, installed.do(read_events))
    reached = (len(commits) - 1) / (max(commits) - min(commits))
    if clinging:
        faults.append(f"{clinging} clients that stopped reading were not dropped")
    if reached < LEAST_PACE * per_second:
        faults.append(f"only {reached:.0f} events a second were written")
    faults += [
        f"a server grew from {was:.0f} to {now:.0f} MB"
        for was, now in zip(before, after, strict=True)
        if now - was > GROWTH_MEGABYTES
    ]
    kinds = [client.kind for client in clients]
    return Outcome(
        len(servers),
        {kind: kinds.count(kind) for kind in KINDS},
        delays,
        got,
        faults,
        list(zip(before, after, strict=True)),
        [cpu / took for cpu in used],
    )


def write(
    installed: Installation, projects: Sequence[UUID], pace: tuple[float, int]
) -> list[float]:
    """Write the events, from a process of its own; gives the moment before each commit."""
    seconds, per_second = pace
    orders = {
        "dsn": installed.dsn,
        "projects": projects,
        "events": round(seconds * per_second),
        "per_second": per_second,
    }
    writing = _start("feed_writer.py", stdout=subprocess.PIPE)
    try:
        commits: list[float] = orjson.loads(
            writing.communicate(orjson.dumps(orders), timeout=3 * seconds + 60)[0]
        )
    finally:
        writing.kill()
        writing.wait()
    return commits


def _start(name: str, stdout: int) -> "subprocess.Popen[bytes]":
    program = str(Path(__file__).with_name(name))
    return subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=stdout)


def _megabytes(served: Server) -> float:
    return float(served.process.memory_info().rss) / 1e6


def wait_for_drops(servers: Sequence[Server], clients: int) -> int:
    """Until the servers have no more than so many connections; gives how many more they keep."""
    end = time.monotonic() + DROPPED_WITHIN
    while (more := sum(map(_connections, servers)) - clients) > 0 and time.monotonic() < end:
        time.sleep(0.5)
    time.sleep(1)
    return max(more, 0)


def _connections(served: Server) -> int:
    port = urlsplit(served.url).port
    return sum(
        connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == port
        for connection in served.process.net_connections("tcp")
    )


def print_table(outcomes: Sequence[Outcome]) -> None:
    """What was measured, a line for each kind of client."""
    table = Table(title="Event feed, from right before the commit to the client")
    for name in ("servers", "clients", "", "events got", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(name, justify="right" if name else "left")
    for outcome in outcomes:
        for kind, number in outcome.clients.items():
            times = percentiles(outcome.delays, kind) if outcome.delays.get(kind) else ()
            _add_row(table, outcome, number, kind, outcome.got[kind], times)
        clients, got = sum(outcome.clients.values()), sum(outcome.got.values())
        _add_row(table, outcome, clients, "together", got, percentiles(outcome.delays))
        table.add_section()
    Console(width=100).print(table)
    for outcome in outcomes:
        grown = ", ".join(f"{was:.0f} to {now:.0f} MB" for was, now in outcome.megabytes)
        cpu = ", ".join(f"{share:.0%}" for share in outcome.cpu)
        print(f"{outcome.servers} server(s): memory {grown}; {cpu} of a core")


def _add_row(
    table: Table, outcome: Outcome, clients: int, kind: str, got: int, times: Sequence[float]
) -> None:
    shown = [f"{milliseconds:.0f}" for milliseconds in times]
    table.add_row(f"{outcome.servers}", f"{clients}", kind, f"{got:,}", *shown)


def main() -> int:
    """Measure, print, and give 1 where an event went astray or the bar is not met."""
    parser = argparse.ArgumentParser(description="How long events take to the readers.")
    parser.add_argument("--clients", type=int, default=500, help="a multiple of 100")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rate", type=int, default=200, help="events a second")
    arguments = parser.parse_args()
    outcomes = []
    with installation() as installed:
        projects, people = make_people(installed)
        for number in (1, 2):
            with ExitStack() as stack:
                servers = [stack.enter_context(server(installed.env)) for _ in range(number)]
                ports = [urlsplit(served.url).port or 0 for served in servers]
                clients = list(make_clients(people, ports, arguments.clients))
                pace = (arguments.seconds, arguments.rate)
                outcomes.append(measure(installed, projects, clients, servers, pace))
    print_table(outcomes)
    for outcome in outcomes:
        for fault, times in Counter(outcome.faults).items():
            print(f"{outcome.servers} server(s), {times} times: {fault}")
    faults = sum(len(outcome.faults) for outcome in outcomes)
    met = all(outcome.median < BAR_MILLISECONDS for outcome in outcomes)
    verdict = "every event came once and in order" if not faults else f"{faults} FAULTS"
    print(f"Median below {BAR_MILLISECONDS:.0f} ms: {'met' if met else 'MISSED'}; {verdict}")
    return int(bool(faults) or not met)


if __name__ == "__main__":
    sys.exit(main())
