"""Who is told of what happens to a request."""

import json
from typing import Any

import pytest
from sqlalchemy import event, select
from tests.consults.webhooks.conftest import Webhooks

from assay.consults.webhooks.models import Covers, EventType
from assay.core.ids import new_id
from assay.identity.actor import LOCAL_USER, Role
from assay.identity.users.models import User
from assay.jobs.models import Job

URL = "https://example.com/hook"


async def user(webhooks: Webhooks, role: Role, *, is_active: bool = True) -> str:
    number = new_id()
    async with webhooks.database.session() as session:
        session.add(
            User(
                id=number,
                email=f"{number}@example.com",
                name="Ada",
                role=role,
                is_active=is_active,
            )
        )
    return str(number)


@pytest.mark.parametrize(
    ("role", "is_active", "covers", "own", "others"),
    [
        (Role.viewer, True, Covers.own, True, False),
        (Role.viewer, False, Covers.own, False, False),
        # Was an admin when the endpoint was made.
        (Role.editor, True, Covers.all, False, False),
        (Role.admin, True, Covers.own, True, False),
        (Role.admin, True, Covers.all, True, True),
        (Role.admin, False, Covers.all, False, False),
    ],
)
async def test_endpoints_are_told_of_what_their_owner_may_know(
    webhooks: Webhooks, role: Role, is_active: bool, covers: Covers, own: bool, others: bool
) -> None:
    owner_id = await user(webhooks, role, is_active=is_active)
    endpoint = await webhooks.endpoint(URL, user_id=owner_id, covers=covers)
    for asker, told in ((owner_id, own), (await user(webhooks, Role.editor), others)):
        deliveries = await webhooks.deliveries(await webhooks.announce(owner_id=asker))
        assert [(found.endpoint_id, found.user_id) for found in deliveries] == (
            [(endpoint.id, owner_id)] if told else []
        )


async def test_whoever_sets_up_at_this_machine_is_an_admin(webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint(URL, user_id=LOCAL_USER, covers=Covers.all)
    request_id = await webhooks.announce(owner_id=await user(webhooks, Role.viewer))
    assert (await webhooks.delivery(request_id)).endpoint_id == endpoint.id


async def test_an_endpoint_is_told_of_the_types_it_wants(webhooks: Webhooks) -> None:
    every = await webhooks.endpoint(URL)
    some = await webhooks.endpoint(URL, event_types=[EventType.created, EventType.answered])
    await webhooks.endpoint(URL, event_types=[EventType.expired], enabled=False)
    answered = await webhooks.announce(event_type=EventType.answered)
    expired = await webhooks.announce(event_type=EventType.expired)
    told = [found.endpoint_id for found in await webhooks.deliveries(answered)]
    assert told == [every.id, some.id]
    assert [found.endpoint_id for found in await webhooks.deliveries(expired)] == [every.id]


async def test_a_callback_is_a_delivery_of_its_own(webhooks: Webhooks) -> None:
    asker = await user(webhooks, Role.viewer)
    await webhooks.endpoint(URL, user_id=asker)
    request_id = await webhooks.announce(url=f"{URL}/callback", owner_id=asker)
    to_endpoint, callback = await webhooks.deliveries(request_id)
    assert (callback.url, callback.endpoint_id, callback.user_id) == (
        f"{URL}/callback",
        None,
        asker,
    )
    assert callback.secret is not None
    assert (to_endpoint.url, to_endpoint.secret) == (None, None)
    assert callback.webhook_id != to_endpoint.webhook_id
    assert callback.body == to_endpoint.body
    message = json.loads(callback.body)
    assert set(message) == {"type", "timestamp", "data"}
    async with webhooks.database.session() as session:
        jobs = list(await session.scalars(select(Job)))
    # As parts of their deliveries, they are in nobody's list of jobs.
    assert {job.parent_id for job in jobs} == {callback.id, to_endpoint.id}


async def test_what_it_costs(webhooks: Webhooks) -> None:
    """One query where nobody is told; of many endpoints, one insert and one hand-over."""
    statements: list[str] = []

    def collect(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = webhooks.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", collect)
    await webhooks.announce()
    assert len(statements) == 1
    for _ in range(5):
        await webhooks.endpoint(URL)
    statements.clear()
    await webhooks.announce(url=URL)
    event.remove(engine, "before_cursor_execute", collect)
    verbs = [statement.split()[0] for statement in statements]
    assert verbs.count("INSERT") == 2
    assert len(statements) <= 5


async def test_what_is_not_committed_is_not_told(webhooks: Webhooks) -> None:
    await webhooks.endpoint("http://127.0.0.1:9/")
    with pytest.raises(TypeError):
        await webhooks.announce(data={"not JSON": object()})
    assert await webhooks.deliveries() == []
