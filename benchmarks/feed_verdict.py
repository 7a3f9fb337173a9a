"""Who reads the feed, what each should get, and what came of it; parts of `event_feed.py`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import quantiles
from typing import Any
from uuid import UUID

from sqlalchemy import select

from assay.core.database import Database
from assay.events.models import Event, Topic


@dataclass(frozen=True, slots=True)
class Person:
    """Whose key a client has; `projects` is `None` for an admin."""

    key: str
    projects: frozenset[UUID] | None


@dataclass(frozen=True, slots=True)
class Client:
    """A client of one kind."""

    kind: str
    person: Person
    topic: Topic | None
    ports: tuple[int, int]

    @property
    def orders(self) -> dict[str, Any]:
        """What the process of the clients needs to know."""
        kind = self.kind if self.kind in {"returning", "stalled"} else "steady"
        path = "/api/v1/sse" + (f"?topics={self.topic}" if self.topic else "")
        return {"kind": kind, "path": path, "key": self.person.key, "ports": self.ports}

    @property
    def view(self) -> tuple[frozenset[UUID] | None, Topic | None]:
        """What decides which events it sees."""
        return self.person.projects, self.topic


@dataclass(frozen=True, slots=True)
class Told:
    """An event as the table has it."""

    position: int
    number: int | None
    topic: Topic
    project: UUID | None

    def seen_by(self, projects: frozenset[UUID] | None, topic: Topic | None) -> bool:
        """Whether somebody with these projects (`None`: an admin) gets it, following `topic`."""
        if topic is not None and topic != self.topic:
            return False
        return projects is None or (self.project in projects and self.topic is not Topic.users)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one set-up gave.

    Attributes:
        delays: seconds from right before the commit to the client, by the kind of client.
        got: events that clients got, by kind.
        faults: what went wrong, in words.
        megabytes: of each server, once all clients had come and at the end.
        cpu: seconds of CPU that each server took for each second of the run.
    """

    servers: int
    clients: dict[str, int]
    delays: dict[str, list[float]]
    got: dict[str, int]
    faults: list[str]
    megabytes: list[tuple[float, float]]
    cpu: list[float]

    @property
    def median(self) -> float:
        """Of all delays, in milliseconds."""
        return percentiles(self.delays)[0]


def percentiles(delays: dict[str, list[float]], *kinds: str) -> tuple[float, float, float]:
    """The p50, p95 and p99 of the delays of these kinds, or of all, in milliseconds."""
    values = [1000 * delay for kind in kinds or delays for delay in delays[kind]]
    if len(values) < 2:
        return (float("inf"),) * 3
    hundredths = quantiles(values, n=100)
    return hundredths[49], hundredths[94], hundredths[98]


async def read_events(database: Database) -> list[Told]:
    """All events, in their order."""
    query = select(Event.position, Event.data, Event.topic, Event.project_id)
    async with database.session() as session:
        rows = (await session.execute(query.order_by(Event.position))).all()
    return [
        Told(position, data.get("number"), topic, project)
        for position, data, topic, project in rows
    ]


def judge(
    clients: Sequence[Client],
    reports: Sequence[dict[str, Any]],
    commits: Sequence[float],
    told: Sequence[Told],
) -> tuple[list[str], dict[str, list[float]], dict[str, int]]:
    """What went wrong, the delays by kind, and how many events came by kind.

    Args:
        clients: who read.
        reports: what each of them got, as `feed_clients.py` reports it.
        commits: the moment right before each commit, by the event's number.
        told: all events.
    """
    numbers = {event.position: event.number for event in told}
    delays, got = defaultdict[str, list[float]](list), defaultdict[str, int](int)
    faults = []

    @cache
    def visible(projects: frozenset[UUID] | None, topic: Topic | None) -> list[int]:
        return [event.position for event in told if event.seen_by(projects, topic)]

    for client, report in zip(clients, reports, strict=True):
        positions, began = report["positions"], report["began"]
        should = [position for position in visible(*client.view) if position > began]
        got[client.kind] += len(positions)
        if client.kind == "stalled":
            continue
        if report["ended"]:
            faults.append(f"a client ({client.kind}) was dropped")
        if positions != should:
            faults.append(f"a client ({client.kind}): {_difference(positions, should)}")
        if client.kind != "returning":
            delays[client.kind] += [
                moment - commits[number]
                for position, moment in zip(positions, report["moments"], strict=True)
                if (number := numbers.get(position)) is not None
            ]
    return faults, delays, got


def _difference(got: list[int], should: list[int]) -> str:
    missing, foreign = len(set(should) - set(got)), len(set(got) - set(should))
    twice = len(got) - len(set(got))
    order = "in order" if got == sorted(got) else "not in order"
    return f"{missing} missing, {foreign} not its own, {twice} twice, {order}"
