"""Whether every webhook arrives while the workers that send them are killed.

    python benchmarks/webhooks.py            # 10,000 decisions with callbacks
    python benchmarks/webhooks.py --count 500

Two `assay worker` processes send to a receiver in this process, which verifies each signature with
the reference library of Standard Webhooks. Every ten seconds or so one worker is killed (SIGKILL)
and another one started. The decisions are written meanwhile, each in a transaction of its own.
Exits 1 where a delivery is missing, came under another `webhook-id`, or does not verify.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from rich.console import Console
from sqlalchemy import func, select
from standardwebhooks import Webhook, WebhookVerificationError

from assay import migrations
from assay.consults.webhooks.deliveries.announcing import Announcement, Callback, announce
from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.models import EventType
from assay.consults.webhooks.signing import new_secret
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.ids import new_id
from assay.core.secrets import load_secret_key
from assay.identity.actor import LOCAL_USER
from processes import embedded_database, temporary_home

WORKERS = 2
KILL_AFTER = (5.0, 15.0)
AT_ONCE = 8
LONGEST_SECONDS = 1800.0
console = Console(highlight=False, soft_wrap=True)


@dataclass
class Arrivals:
    """What has arrived: how often under each id, and what did not verify."""

    secret: str
    by_id: Counter[str] = field(default_factory=Counter)
    not_verified: int = 0

    async def take(self, request: web.Request) -> web.Response:
        """Verify a message and count it."""
        body = await request.read()
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.not_verified += 1
            return web.Response(status=400)
        self.by_id[request.headers["webhook-id"]] += 1
        return web.Response(text="ok")


@asynccontextmanager
async def receiving(arrivals: Arrivals) -> AsyncIterator[str]:
    """A receiver on a free port; gives its address."""
    app = web.Application()
    app.router.add_post("/hook", arrivals.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


class Workers:
    """Worker processes, of which one is killed and replaced from time to time."""

    def __init__(self, env: dict[str, str]) -> None:
        """Start them with these variables."""
        self._env = {**os.environ, **env}
        self._running = [self._start() for _ in range(WORKERS)]
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "assay.cli.main", "worker"]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=self._env, stdout=quiet, stderr=quiet)

    async def keep_killing(self, dice: random.Random) -> None:
        """Kill one now and then, for as long as this task lives."""
        while True:
            await asyncio.sleep(dice.uniform(*KILL_AFTER))
            victim = self._running.pop(dice.randrange(WORKERS))
            victim.kill()
            victim.wait()
            self.kills += 1
            self._running.append(self._start())

    def end(self) -> None:
        """Kill them all."""
        for process in self._running:
            process.kill()
            process.wait()


async def decide(database: Database, url: str, sealed: bytes, count: int) -> None:
    """Write so many decisions with callbacks, each in a transaction of its own."""
    left = iter(range(count))

    async def some() -> None:
        for number in left:
            request_id = new_id()
            data = {"id": str(request_id), "title": f"Decision {number}", "response": True}
            callback = Callback(url, sealed)
            async with database.session() as session:
                await announce(
                    session,
                    Announcement(EventType.answered, data, LOCAL_USER, request_id, callback),
                )

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def until_delivered(database: Database) -> None:
    """Wait until nothing is pending."""
    pending = select(func.count()).where(WebhookDelivery.status == DeliveryStatus.pending)
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            async with database.session() as session:
                if not await session.scalar(pending):
                    return
            await asyncio.sleep(0.5)


async def run(settings: Settings, count: int, seed: int) -> int:
    """Do it, print what came of it, and give the exit code."""
    assert settings.database_url
    database = Database(settings.database_url)
    await migrations.upgrade(database)
    arrivals = Arrivals(new_secret())
    sealed = load_secret_key(settings).seal(arrivals.secret)
    async with receiving(arrivals) as url:
        workers = Workers(
            {
                "ASSAY_HOME": str(settings.assay_home),
                "DATABASE_URL": settings.database_url,
                "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
                "LOG_LEVEL": "ERROR",
            }
        )
        killing = asyncio.create_task(workers.keep_killing(random.Random(seed)))
        begun = time.monotonic()
        try:
            await decide(database, url, sealed, count)
            written = time.monotonic() - begun
            await until_delivered(database)
        finally:
            killing.cancel()
            workers.end()
        seconds = time.monotonic() - begun
    code = await report(database, arrivals, count)
    console.print(
        f"{workers.kills} kills of {WORKERS} workers; {seconds:.0f} s, {written:.0f} s of them to "
        f"write the decisions: {count / seconds:.0f} a second"
    )
    await database.dispose()
    return code


async def report(database: Database, arrivals: Arrivals, count: int) -> int:
    """Hold what has arrived against what was written; gives the exit code."""
    async with database.session() as session:
        query = select(WebhookDelivery.webhook_id, WebhookDelivery.status)
        rows = (await session.execute(query)).all()
    expected = {row.webhook_id for row in rows if row.status is DeliveryStatus.delivered}
    missing = len(expected - arrivals.by_id.keys()) + count - len(expected)
    strange = len(arrivals.by_id.keys() - {row.webhook_id for row in rows})
    twice = arrivals.by_id.total() - len(arrivals.by_id)
    console.print(
        f"{len(arrivals.by_id):,} of {count:,} delivered, {twice:,} sent twice, {missing} missing, "
        f"{strange} under other ids, {arrivals.not_verified} not verified"
    )
    return 1 if missing or strange or arrivals.not_verified else 0


def main() -> int:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=10_000, help="decisions with callbacks")
    parser.add_argument("--seed", type=int, default=20261126, help="of the kills")
    options = parser.parse_args()
    with temporary_home() as home, embedded_database(home) as dsn:
        settings = Settings(assay_home=Path(home), database_url=dsn, _env_file=None)
        return asyncio.run(run(settings, options.count, options.seed))


if __name__ == "__main__":
    sys.exit(main())
