"""Writes events at a steady pace, each in a transaction of its own; a process of `event_feed.py`.

It takes its orders as JSON on standard input, and gives when each event was about to be committed
as JSON on standard output. The clock is the machine's monotonic one, which all processes share.
"""

import asyncio
import sys
import time
from typing import Any
from uuid import UUID

import orjson
import uvloop

from assay.core.database import Database
from assay.events.models import Topic
from assay.events.service import publish

TOPICS = list(Topic)
# So many transactions can be under way, so that one slow commit does not hold up the pace.
HANDS = 8


async def write(orders: dict[str, Any]) -> list[float]:
    """Write them all; gives the moment right before each commit, by the event's number."""
    projects = [UUID(project) for project in orders["projects"]]
    number, per_second = orders["events"], orders["per_second"]
    database = Database(orders["dsn"])
    commits = [0.0] * number
    waiting = iter(range(number))
    start = time.monotonic() + 0.5

    async def hand() -> None:
        for event in waiting:
            await asyncio.sleep(start + event / per_second - time.monotonic())
            project = projects[event % len(projects)]
            async with database.session() as session:
                publish(
                    session,
                    TOPICS[event // len(projects) % len(TOPICS)],
                    "benchmark.told",
                    {"number": event, "id": str(project), "name": "As long as usual " * 4},
                    subject=project,
                    project_id=project,
                )
                await session.flush()
                commits[event] = time.monotonic()

    await asyncio.gather(*(hand() for _ in range(HANDS)))
    await database.dispose()
    return commits


def main() -> None:
    """Do as ordered."""
    orders = orjson.loads(sys.stdin.buffer.read())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        commits = runner.run(write(orders))
    sys.stdout.buffer.write(orjson.dumps(commits))


if __name__ == "__main__":
    main()
