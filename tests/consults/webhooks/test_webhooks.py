"""Webhook endpoints and the log of deliveries, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update
from standardwebhooks import Webhook
from tests.consults.webhooks.conftest import Webhooks
from tests.identity.people import Installation, Person, installed
from tests.receivers import Receiver, receiver

from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.models import EventType
from assay.consults.webhooks.service import MAX_ENDPOINTS
from assay.core.config import Settings
from assay.housekeeping import clear
from assay.identity.actor import Role, Scope
from assay.jobs.models import Job

HOOKS, LOG = "/api/v1/webhooks", "/api/v1/webhook-deliveries"
URL = "https://example.com/hook"


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    async with installed(
        settings,
        database_url=await new_database_dsn(),
        webhook_allowed_networks=("127.0.0.0/8",),
    ) as installation:
        await installation.person(Role.admin)
        yield installation


@pytest.fixture
async def ada(installation: Installation) -> Person:
    return await installation.person(Role.viewer)


@pytest.fixture
def sending(installation: Installation) -> Webhooks:
    return Webhooks(installation.app.state.settings, installation.database)


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as there:
        yield there


async def make(person: Person, **fields: Any) -> dict[str, Any]:
    response = await person.client.post(HOOKS, json={"url": URL} | fields)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def changed(person: Person, webhook: dict[str, Any], **changes: Any) -> dict[str, Any]:
    response = await person.client.patch(f"{HOOKS}/{webhook['id']}", json=changes)
    assert response.status_code == 200, response.text
    read: dict[str, Any] = response.json()
    return read


async def ended(person: Person, delivery_id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            read: dict[str, Any] = (await person.client.get(f"{LOG}/{delivery_id}")).json()
            if read["status"] != "pending":
                return read
            await asyncio.sleep(0.02)


async def test_an_endpoint_from_its_making_to_its_end(
    installation: Installation, ada: Person
) -> None:
    made = await make(ada, description="Bot", event_types=["request.answered"] * 2)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made["event_types"] == ["request.answered"]
    assert (made["enabled"], made["covers"], made["user_id"]) == (True, "own", str(ada.id))
    assert (await ada.client.get(f"{HOOKS}/{made['id']}")).json() == made
    assert (await ada.client.get(HOOKS)).json() == [made]
    other = "https://example.org/"
    read = await changed(ada, made, url=other, description=None, event_types=[])
    assert (read["url"], read["description"], read["event_types"]) == (other, None, [])
    read = await changed(ada, made, enabled=False)
    assert (read["enabled"], read["disabled_reason"]) == (False, "It was disabled by hand.")
    assert (await ada.client.post(f"{HOOKS}/{made['id']}/test")).status_code == 409
    read = await changed(ada, made, enabled=True)
    assert (read["enabled"], read["disabled_reason"]) == (True, None)
    assert (await ada.client.delete(f"{HOOKS}/{made['id']}")).status_code == 204
    assert (await ada.client.get(f"{HOOKS}/{made['id']}")).status_code == 404
    async with installation.database.session() as session:
        audit = text("SELECT action FROM identity.audit_log WHERE subject = :id ORDER BY id")
        told = text("SELECT data::text FROM events.events WHERE subject = :id")
        actions = list(await session.scalars(audit, {"id": made["id"]}))
        events = " ".join(await session.scalars(told, {"id": made["id"]}))
    assert actions == [
        "webhook.created",
        "webhook.updated",
        "webhook.disabled",
        "webhook.updated",
        "webhook.deleted",
    ]
    assert "example" not in events
    assert secret not in await installation.stored()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body.url"),
        ({"url": "ftp://example.com"}, "body.url"),
        ({"url": "http://10.0.0.1/"}, "body.url"),
        ({"url": "https://me:secret@example.com/"}, "body.url"),
        ({"url": "https://example.com/" + "a" * 2000}, "body.url"),
        ({"url": URL, "event_types": ["request.eaten"]}, "body.event_types[0]"),
        ({"url": URL, "covers": "all"}, "body.covers"),
        ({"url": URL, "secret": "whsec_mine"}, "body.secret"),
    ],
)
async def test_what_is_wrong_is_said_with_its_place(
    ada: Person, body: dict[str, Any], place: str
) -> None:
    response = await ada.client.post(HOOKS, json=body)
    assert response.status_code == 422
    assert [fault["place"] for fault in response.json()["errors"]] == [place]
    made = await make(ada)
    if body:
        response = await ada.client.patch(f"{HOOKS}/{made['id']}", json=body)
        assert response.status_code == 422


async def test_of_others_one_sees_nothing_but_admins_do(
    installation: Installation, ada: Person
) -> None:
    made = await make(ada)
    bob, root = await installation.person(Role.editor), await installation.person(Role.admin)
    path = f"{HOOKS}/{made['id']}"
    asked = [
        await bob.client.get(path),
        await bob.client.patch(path, json={"enabled": False}),
        await bob.client.delete(path),
        await bob.client.post(f"{path}/test"),
        await bob.client.post(f"{path}/rotate-secret", json={}),
    ]
    assert {response.status_code for response in asked} == {404}
    assert (await bob.client.get(f"{HOOKS}?of_all=true")).json() == []
    assert (await root.client.get(HOOKS)).json() == []
    everybodys = (await root.client.get(f"{HOOKS}?of_all=true&limit=200")).json()
    assert made["id"] in {webhook["id"] for webhook in everybodys}
    assert (await changed(root, made, enabled=False))["enabled"] is False
    # What tells of everything is for admins to have themselves.
    assert (await root.client.patch(path, json={"covers": "all"})).status_code == 422
    of_all = await make(root, covers="all")
    assert of_all["covers"] == "all"
    assert (await root.client.delete(f"{HOOKS}/{of_all['id']}")).status_code == 204


async def test_a_key_of_one_project_has_nothing_to_do_with_webhooks(
    installation: Installation,
) -> None:
    root = await installation.person(Role.admin)
    project = (await root.client.post("/api/v1/projects", json={"name": "P"})).json()
    made = await make(root)
    client = await installation.with_key(root, Scope.consults_write, project_id=project["id"])
    asked = [
        await client.get(HOOKS),
        await client.post(HOOKS, json={"url": URL}),
        await client.get(f"{HOOKS}/{made['id']}"),
        await client.get(LOG),
        await client.get(f"{LOG}/{uuid4()}"),
    ]
    assert [response.json()["code"] for response in asked] == ["key_of_one_project"] * 5


async def test_nobody_has_endpoints_without_end(ada: Person, sending: Webhooks) -> None:
    for _ in range(MAX_ENDPOINTS):
        await sending.endpoint(URL, user_id=str(ada.id), enabled=False)
    response = await ada.client.post(HOOKS, json={"url": URL})
    assert response.status_code == 409


async def test_enabling_again_forgets_the_failures(ada: Person, sending: Webhooks) -> None:
    since = datetime.now(UTC) - timedelta(days=6)
    endpoint = await sending.endpoint(
        URL, user_id=str(ada.id), enabled=False, disabled_reason="It failed.", failing_since=since
    )
    read = await changed(ada, {"id": str(endpoint.id)}, enabled=True)
    assert read["failing_since"] is read["disabled_reason"] is None


async def test_a_test_message_arrives_and_is_in_the_log(
    ada: Person, sending: Webhooks, there: Receiver
) -> None:
    made = await make(ada, url=there.url, event_types=["request.expired"])
    response = await ada.client.post(f"{HOOKS}/{made['id']}/test")
    assert response.status_code == 202
    async with sending.worker():
        read = await ended(ada, response.json()["id"])
    sent: Any = Webhook(made["secret"]).verify(there.received[0].body, there.received[0].headers)
    assert sent["type"] == "webhook.test"
    assert (read["status"], read["response_code"], read["response_excerpt"]) == (
        "delivered",
        200,
        "ok",
    )
    assert read["body"].encode() == there.received[0].body
    assert "secret" not in read


async def test_a_rotation_by_the_api(ada: Person, sending: Webhooks, there: Receiver) -> None:
    made = await make(ada, url=there.url)
    path = f"{HOOKS}/{made['id']}"
    first = (await ada.client.post(f"{path}/rotate-secret", json={})).json()
    expires = datetime.fromisoformat(first["previous_secret_expires_at"])
    assert timedelta(hours=23) < expires - datetime.now(UTC) <= timedelta(hours=24)
    async with sending.worker():
        await ended(ada, (await ada.client.post(f"{path}/test")).json()["id"])
        at_once = await ada.client.post(f"{path}/rotate-secret", json={"keep_old_for": 0})
        await ended(ada, (await ada.client.post(f"{path}/test")).json()["id"])
    during, after = there.received
    for secret in (made["secret"], first["secret"]):
        Webhook(secret).verify(during.body, during.headers)
    assert at_once.json()["previous_secret_expires_at"] is None
    Webhook(at_once.json()["secret"]).verify(after.body, after.headers)
    assert len(after.headers["webhook-signature"].split()) == 1
    too_long = await ada.client.post(f"{path}/rotate-secret", json={"keep_old_for": 604_801})
    assert too_long.status_code == 422


async def test_a_delivery_is_sent_again_with_the_same_id(
    ada: Person, sending: Webhooks, there: Receiver
) -> None:
    request_id = await sending.announce(url=there.url, owner_id=str(ada.id))
    delivery = await sending.delivery(request_id)
    path = f"{LOG}/{delivery.id}/redeliver"
    assert (await ada.client.post(path)).status_code == 409
    async with sending.worker():
        await sending.ended(request_id)
        response = await ada.client.post(path)
        assert response.status_code == 202
        assert (response.json()["status"], response.json()["attempts"]) == ("pending", 0)
        read = await ended(ada, str(delivery.id))
    assert read["attempts"] == 1
    first, second = there.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery.webhook_id
    assert first.body == second.body


async def test_sending_again_is_one_job_whatever_waited_before(
    ada: Person, sending: Webhooks
) -> None:
    """An attempt that waited when its endpoint was disabled does not come on top."""
    endpoint = await sending.endpoint(URL, user_id=str(ada.id))
    request_id = await sending.announce(owner_id=str(ada.id))
    delivery = await sending.delivery(request_id)
    await changed(ada, {"id": str(endpoint.id)}, enabled=False)
    assert (await sending.delivery(request_id)).error == (
        "The endpoint is disabled: It was disabled by hand."
    )
    path = f"{LOG}/{delivery.id}/redeliver"
    assert (await ada.client.post(path)).json()["code"] == "conflict"
    await changed(ada, {"id": str(endpoint.id)}, enabled=True)
    answers = await asyncio.gather(*(ada.client.post(path) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    async with sending.database.session() as session:
        jobs = list(await session.scalars(select(Job).where(Job.parent_id == delivery.id)))
    assert sorted(job.status for job in jobs) == ["cancelled", "queued"]


async def test_the_log_has_filters_and_pages(
    installation: Installation, ada: Person, sending: Webhooks
) -> None:
    endpoint = await sending.endpoint(URL, user_id=str(ada.id))
    answered = await sending.announce(url=URL, owner_id=str(ada.id))
    for _ in range(2):
        await sending.announce(owner_id=str(ada.id), event_type=EventType.expired)
    async with sending.database.session() as session:
        await session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.request_id == answered)
            .values(status=DeliveryStatus.failed)
        )

    async def listed(**query: Any) -> list[dict[str, Any]]:
        response = await ada.client.get(LOG, params=query)
        assert response.status_code == 200, response.text
        rows: list[dict[str, Any]] = response.json()
        return rows

    everything = await listed()
    ids = [delivery["id"] for delivery in everything]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 4
    assert len(await listed(endpoint_id=endpoint.id)) == 3
    assert {found["url"] for found in await listed(request_id=answered)} == {URL, None}
    assert len(await listed(status="failed")) == 2
    assert len(await listed(status="failed", endpoint_id=endpoint.id)) == 1
    assert len(await listed(event_type="request.expired")) == 2
    page = await ada.client.get(LOG, params={"limit": 3})
    following = await ada.client.get(page.links["next"]["url"])
    assert [*page.json(), *following.json()] == everything
    bob, root = await installation.person(Role.editor), await installation.person(Role.admin)
    assert (await bob.client.get(f"{LOG}?of_all=true")).json() == []
    assert (await bob.client.get(f"{LOG}/{ids[0]}")).status_code == 404
    assert (await bob.client.post(f"{LOG}/{ids[0]}/redeliver")).status_code == 404
    assert (await root.client.get(f"{LOG}/{ids[0]}")).status_code == 200
    assert len((await root.client.get(f"{LOG}?of_all=true")).json()) >= 4


async def test_with_an_endpoint_go_its_deliveries_and_their_jobs(
    ada: Person, sending: Webhooks
) -> None:
    endpoint = await sending.endpoint(URL, user_id=str(ada.id))
    delivery = await sending.delivery(await sending.announce(owner_id=str(ada.id)))
    assert (await ada.client.delete(f"{HOOKS}/{endpoint.id}")).status_code == 204
    assert (await ada.client.get(f"{LOG}/{delivery.id}")).status_code == 404
    assert await jobs_of(sending, delivery.id) == 0


async def jobs_of(sending: Webhooks, delivery_id: UUID) -> int:
    async with sending.database.session() as session:
        counted = select(func.count()).where(Job.parent_id == delivery_id)
        return await session.scalar(counted) or 0


async def test_old_deliveries_that_ended_are_removed_with_their_jobs(webhooks: Webhooks) -> None:
    rows = {
        name: await webhooks.delivery(await webhooks.announce(url=URL))
        for name in ("old", "pending", "young")
    }
    long_ago = datetime.now(UTC) - timedelta(days=3)
    async with webhooks.database.session() as session:
        for name in ("old", "pending"):
            where = WebhookDelivery.id == rows[name].id
            await session.execute(update(WebhookDelivery).where(where).values(created_at=long_ago))
        ended = WebhookDelivery.id != rows["pending"].id
        delivered = {"status": DeliveryStatus.delivered}
        await session.execute(update(WebhookDelivery).where(ended).values(delivered))
    kept = webhooks.settings.model_copy(update={"webhook_days": 2.5})
    assert await clear(kept, webhooks.database) == 1
    assert await clear(kept, webhooks.database) == 0
    left = {delivery.id for delivery in await webhooks.deliveries()}
    assert left == {rows["pending"].id, rows["young"].id}
    assert await jobs_of(webhooks, rows["old"].id) == 0
    assert await jobs_of(webhooks, rows["young"].id) == 1
