"""Attempts, made by a real worker to receivers that misbehave."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import select, text, update
from standardwebhooks import Webhook
from tests.consults.webhooks.conftest import Webhooks
from tests.receivers import OK, endless, hang, receiver, reset, saying, status

from assay.consults.webhooks.deliveries.hosts import MAX_TO_HOST
from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.deliveries.schedule import MAX_ATTEMPTS, PAUSES
from assay.consults.webhooks.models import WebhookEndpoint
from assay.consults.webhooks.signing import new_secret
from assay.core import outbound_http
from assay.events.models import Event
from assay.identity.actor import LOCAL_USER
from assay.jobs.models import Job, JobStatus

JOB_DELAYS = text(
    "SELECT extract(epoch FROM q.execute_after - j.created_at) FROM jobs_engine.pgqueuer q "
    "JOIN jobs.jobs j ON j.engine_id = q.id WHERE j.parent_id = :id AND j.status = 'queued'"
)


async def wait_of_next(webhooks: Webhooks, delivery: WebhookDelivery) -> timedelta:
    """How long the one job that waits for its time waits, or a little less.

    The engine counts from the start of the transaction, the job has the time of its own row.
    """
    async with webhooks.database.session() as session:
        [seconds] = await session.scalars(JOB_DELAYS, {"id": delivery.id})
    return timedelta(seconds=float(seconds))


async def test_a_message_is_signed_so_that_the_reference_library_verifies_it(
    webhooks: Webhooks,
) -> None:
    secret = new_secret()
    async with receiver(status("200 OK", body="thanks\0")) as there, webhooks.worker():
        request_id = await webhooks.announce(url=there.url, secret=secret, data={"title": "Ü"})
        delivery = await webhooks.ended(request_id)
    [received] = there.received
    sent: Any = Webhook(secret).verify(received.body, received.headers)
    assert sent == json.loads(delivery.body)
    assert (sent["type"], sent["data"]) == ("request.answered", {"title": "Ü"})
    assert datetime.fromisoformat(sent["timestamp"]) <= datetime.now(UTC)
    assert received.headers["webhook-id"] == delivery.webhook_id
    assert received.headers["content-type"] == "application/json"
    assert delivery.status is DeliveryStatus.delivered
    assert (delivery.attempts, delivery.response_code) == (1, 200)
    assert delivery.response_excerpt == "thanks\ufffd"
    assert delivery.delivered_at is not None
    assert (delivery.next_attempt_at, delivery.error) == (None, None)


async def test_while_a_rotation_lasts_both_secrets_verify(webhooks: Webhooks) -> None:
    old, new = new_secret(), new_secret()
    async with receiver() as there, webhooks.worker():
        endpoint = await webhooks.endpoint(
            there.url,
            new,
            previous_secret=webhooks.key.seal(old),
            previous_secret_expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        await webhooks.ended(await webhooks.announce())
        async with webhooks.database.session() as session:
            past = datetime.now(UTC) - timedelta(seconds=1)
            await session.execute(update(WebhookEndpoint).values(previous_secret_expires_at=past))
        await webhooks.ended(await webhooks.announce())
    during, after = there.received
    assert endpoint.user_id == LOCAL_USER
    for secret in (old, new):
        Webhook(secret).verify(during.body, during.headers)
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    Webhook(new).verify(after.body, after.headers)
    assert len(after.headers["webhook-signature"].split(" ")) == 1


@pytest.mark.parametrize(
    ("answer", "code", "error"),
    [
        (status("500 Oops", body="trace"), 500, "answered 500"),
        (status("404 Not Found"), 404, "answered 404"),
        (status("302 Found", "Location: http://127.0.0.1:1/"), 302, "redirects are not followed"),
        (saying(b"rubbish\r\n\r\n"), None, "not HTTP"),
        (reset, None, "broke off"),
        (endless(b"HTTP/1.1 500 X\r\n\r\n", b"a" * 999), 500, "answered 500"),
        (endless(b"HTTP/1.1 200 X\r\n", b"A: b\r\n"), None, "not HTTP"),
    ],
)
async def test_what_fails_is_tried_again_after_five_seconds(
    webhooks: Webhooks, answer: Any, code: int | None, error: str
) -> None:
    async with receiver(answer) as there, webhooks.worker():
        delivery = await webhooks.attempted(await webhooks.announce(url=there.url))
        waits = await wait_of_next(webhooks, delivery)
    assert delivery.status is DeliveryStatus.pending
    assert delivery.response_code == code
    assert error in (delivery.error or "")
    assert delivery.next_attempt_at is not None
    assert timedelta(seconds=3) < waits < timedelta(seconds=6)
    assert len(there.received) == 1


async def test_a_receiver_that_hangs_is_tried_again(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = outbound_http.post.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "seconds", 0.2)
    async with receiver(hang) as there, webhooks.worker():
        request_id = await webhooks.announce(url=there.url)
        delivery = await webhooks.attempted(request_id)
        assert delivery.error == "There was no answer within 0.2 seconds."
        there.answer = saying(OK)
        delivery = await webhooks.ended(request_id)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.delivered, 2)
    first, second = there.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


@pytest.mark.parametrize("code", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("as_date", [False, True])
async def test_retry_after_is_obeyed(webhooks: Webhooks, code: str, *, as_date: bool) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=3600), usegmt=True)
    answer = status(code, f"Retry-After: {later if as_date else 3600}")
    async with receiver(answer) as there, webhooks.worker():
        delivery = await webhooks.attempted(await webhooks.announce(url=there.url))
        waits = await wait_of_next(webhooks, delivery)
    assert timedelta(seconds=3580) < waits < timedelta(seconds=3610)


async def test_an_address_inside_is_refused_and_tried_again(webhooks: Webhooks) -> None:
    """Names move, so that one which points inside now may not do so later."""
    webhooks.settings = webhooks.settings.model_copy(update={"webhook_allowed_networks": ()})
    async with receiver() as there, webhooks.worker():
        url = f"http://localhost:{there.port}/"
        delivery = await webhooks.attempted(await webhooks.announce(url=url))
    assert there.received == []
    assert delivery.status is DeliveryStatus.pending
    assert "localhost resolves to an address inside" in (delivery.error or "")
    assert "WEBHOOK_ALLOWED_NETWORKS" in (delivery.error or "")


async def test_after_the_last_attempt_a_delivery_has_failed(webhooks: Webhooks) -> None:
    async with receiver(status("500 Oops")) as there:
        request_id = await webhooks.announce(url=there.url)
        async with webhooks.database.session() as session:
            await session.execute(update(WebhookDelivery).values(attempts=MAX_ATTEMPTS - 1))
        async with webhooks.worker():
            delivery = await webhooks.ended(request_id)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.failed, len(PAUSES) + 1)
    assert delivery.next_attempt_at is None


async def test_gone_ends_a_callback(webhooks: Webhooks) -> None:
    async with receiver(status("410 Gone")) as there, webhooks.worker():
        delivery = await webhooks.ended(await webhooks.announce(url=there.url))
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.failed, 1)
    assert delivery.error == "The receiver answered 410."


async def test_gone_disables_an_endpoint_with_all_that_is_on_its_way(webhooks: Webhooks) -> None:
    async with receiver(status("500 Oops")) as there, webhooks.worker():
        endpoint = await webhooks.endpoint(there.url)
        waiting = await webhooks.announce()
        assert (await webhooks.attempted(waiting)).status is DeliveryStatus.pending
        assert (await webhooks.reload(endpoint)).failing_since is not None
        there.answer = status("410 Gone")
        last = await webhooks.ended(await webhooks.announce())
        before = await webhooks.ended(waiting)
    endpoint = await webhooks.reload(endpoint)
    assert not endpoint.enabled
    assert "410 Gone" in (endpoint.disabled_reason or "")
    assert before.status is last.status is DeliveryStatus.failed
    assert "endpoint is disabled" in (before.error or "")
    async with webhooks.database.session() as session:
        [told] = await session.scalars(select(Event).where(Event.type == "webhook.disabled"))
    assert (told.user_id, told.subject) == (endpoint.user_id, str(endpoint.id))
    assert there.url not in json.dumps(told.data)
    # It is told of nothing any more.
    assert await webhooks.deliveries(await webhooks.announce()) == []


@pytest.mark.parametrize(("days", "enabled"), [(4.9, True), (5.1, False)])
async def test_an_endpoint_that_fails_for_five_days_is_disabled(
    webhooks: Webhooks, days: float, *, enabled: bool
) -> None:
    since = datetime.now(UTC) - timedelta(days=days)
    async with receiver(status("500 Oops")) as there, webhooks.worker():
        endpoint = await webhooks.endpoint(there.url, failing_since=since)
        delivery = await webhooks.attempted(await webhooks.announce())
    endpoint = await webhooks.reload(endpoint)
    assert endpoint.enabled is enabled
    assert endpoint.failing_since == since
    assert delivery.status is (DeliveryStatus.pending if enabled else DeliveryStatus.failed)
    if not enabled:
        assert endpoint.disabled_reason == (
            "Every attempt failed for 5 days. The last: The receiver answered 500."
        )


async def test_a_success_forgets_the_failures(webhooks: Webhooks) -> None:
    since = datetime.now(UTC) - timedelta(days=9)
    async with receiver() as there, webhooks.worker():
        endpoint = await webhooks.endpoint(there.url, failing_since=since)
        await webhooks.ended(await webhooks.announce())
    assert (await webhooks.reload(endpoint)).failing_since is None


async def test_what_an_endpoint_was_disabled_under_is_not_sent(webhooks: Webhooks) -> None:
    async with receiver() as there:
        endpoint = await webhooks.endpoint(there.url)
        request_id = await webhooks.announce()
        async with webhooks.database.session() as session:
            await session.execute(
                update(WebhookEndpoint).values(enabled=False, disabled_reason="By hand.")
            )
        async with webhooks.worker():
            delivery = await webhooks.ended(request_id)
    assert there.received == []
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.failed, 0)
    assert delivery.error == "The endpoint is disabled: By hand."
    assert delivery.endpoint_id == endpoint.id


async def test_a_job_without_its_delivery_leaves_nothing(webhooks: Webhooks) -> None:
    async with receiver() as there:
        await webhooks.announce(url=there.url)
        async with webhooks.database.session() as session:
            await session.execute(text("DELETE FROM consults.webhook_deliveries"))
        async with webhooks.worker(), asyncio.timeout(10):
            while await jobs(webhooks):
                await asyncio.sleep(0.02)
    assert there.received == []


async def jobs(webhooks: Webhooks) -> list[Job]:
    async with webhooks.database.session() as session:
        return list(await session.scalars(select(Job).order_by(Job.id)))


async def test_a_secret_that_cannot_be_opened_is_said(webhooks: Webhooks) -> None:
    async with receiver() as there:
        request_id = await webhooks.announce(url=there.url)
        async with webhooks.database.session() as session:
            await session.execute(update(WebhookDelivery).values(secret=b"of another key"))
        async with webhooks.worker():
            delivery = await webhooks.attempted(request_id)
    assert there.received == []
    assert delivery.status is DeliveryStatus.pending
    assert "sealed with another SECRET_KEY" in (delivery.error or "")


async def test_one_receiver_that_hangs_holds_up_no_other(webhooks: Webhooks) -> None:
    async with receiver(hang) as hanging, receiver() as there, webhooks.worker():
        before = [await webhooks.announce(url=hanging.url) for _ in range(3 * MAX_TO_HOST)]
        other_host = there.url.replace("127.0.0.1", "localhost")
        async with asyncio.timeout(8):
            delivery = await webhooks.ended(await webhooks.announce(url=other_host))
        assert delivery.status is DeliveryStatus.delivered
        async with asyncio.timeout(8):
            while len(put_back := await waiting(webhooks)) < len(before) - MAX_TO_HOST:
                await asyncio.sleep(0.02)
        assert hanging.open_connections == MAX_TO_HOST
        attempts = [(await webhooks.delivery(request_id)).attempts for request_id in before]
    assert {job.fruitless_starts for job in put_back} == {0}
    # Being put back counts as no attempt.
    assert set(attempts) == {0}


async def waiting(webhooks: Webhooks) -> list[Job]:
    """The jobs that were begun and put back."""
    return [
        job
        for job in await jobs(webhooks)
        if job.status is JobStatus.queued and job.started_at is not None
    ]
