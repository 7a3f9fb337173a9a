"""Deliveries outlive the workers that send them: real processes, really killed."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select
from standardwebhooks import Webhook
from tests.consults.webhooks.conftest import Webhooks
from tests.receivers import Receiver, receiver

from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.signing import new_secret

DECISIONS, KILLS = 150, 4


@contextlib.contextmanager
def working(webhooks: Webhooks) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, ended with the context."""
    env = {
        "DATABASE_URL": webhooks.database.dsn,
        "ASSAY_HOME": str(webhooks.settings.assay_home),
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "assay.cli.main", "worker"],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def until_received(there: Receiver, count: int) -> None:
    async with asyncio.timeout(60):
        while len(there.received) < count:
            await asyncio.sleep(0.01)


async def until_none_is_pending(webhooks: Webhooks) -> None:
    pending = select(func.count()).where(WebhookDelivery.status == DeliveryStatus.pending)
    async with asyncio.timeout(90):
        while True:
            async with webhooks.database.session() as session:
                if not await session.scalar(pending):
                    return
            await asyncio.sleep(0.1)


@pytest.mark.timeout(240)
async def test_every_delivery_arrives_though_workers_are_killed(webhooks: Webhooks) -> None:
    dice, secret = random.Random(20261126), new_secret()
    async with receiver() as there:
        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(working(webhooks)) for _ in range(2)]
            for part in range(KILLS):
                for _ in range(DECISIONS // KILLS):
                    await webhooks.announce(url=there.url, secret=secret)
                await until_received(there, part * (DECISIONS // KILLS) + dice.randint(1, 20))
                workers.pop(dice.randrange(len(workers))).kill()
                workers.append(stack.enter_context(working(webhooks)))
            await until_none_is_pending(webhooks)
        received = list(there.received)
    deliveries = await webhooks.deliveries()
    assert {delivery.status for delivery in deliveries} == {DeliveryStatus.delivered}
    bodies = {delivery.webhook_id: delivery.body for delivery in deliveries}
    arrived = Counter(request.headers["webhook-id"] for request in received)
    assert arrived.keys() == bodies.keys()
    for request in received:
        Webhook(secret).verify(request.body, request.headers)
        assert request.body.decode() == bodies[request.headers["webhook-id"]]
    # Only what a killed worker had in hand is sent twice.
    assert arrived.total() - len(arrived) <= KILLS * 32
