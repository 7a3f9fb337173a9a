"""Questions to people, by both clients."""

import asyncio
from uuid import uuid4

import pytest
from tests.client.conftest import Connect
from tests.events.served import Server

from assay.client import AsyncClient, Conflict, Invalid, NotFound, TimedOut
from assay.consults.requests.models import Priority, RequestStatus
from assay.identity.actor import Role, Scope


@pytest.fixture
async def asker(connect: Connect, guarded: Server) -> AsyncClient:
    """Somebody's program."""
    person = await guarded.installation.person(Role.editor)
    key = await guarded.installation.key(person, Scope.consults_read, Scope.consults_write)
    client: AsyncClient = connect(guarded.url, api_key=key)
    return client


@pytest.fixture
async def reviewer(connect: Connect, guarded: Server) -> AsyncClient:
    """Somebody who answers."""
    person = await guarded.installation.person(Role.reviewer)
    token = await guarded.installation.access_token(person.id)
    client: AsyncClient = connect(guarded.url, api_key=token)
    return client


async def test_a_question_and_its_answer(asker: AsyncClient, reviewer: AsyncClient) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    key = str(uuid4())
    asked = await asker.requests.create(
        "Where to?", "form", response_schema=schema, priority="high", idempotency_key=key
    )
    again = await asker.requests.create(
        "Where to?", "form", response_schema=schema, priority="high", idempotency_key=key
    )
    assert again.id == asked.id
    waiting = asyncio.create_task(asker.requests.wait(asked.id, timeout=60))
    assert (await reviewer.requests.comment(asked.id, "Is it urgent?")).text == "Is it urgent?"
    with pytest.raises(Invalid) as caught:
        await reviewer.requests.respond(asked.id, {"city": 3})
    assert [fault.pointer for fault in caught.value.errors] == ["/city"]
    await reviewer.requests.respond(asked.id, {"city": "Bonn"}, comment="As ever")
    answered = await waiting
    assert (answered.status, answered.response) == (RequestStatus.answered, {"city": "Bonn"})
    assert [each.comment for each in answered.responses] == ["As ever"]
    with pytest.raises(Conflict):
        await reviewer.requests.respond(asked.id, {"city": "Kiel"})
    assert [each.text async for each in asker.requests.comments(asked.id)] == ["Is it urgent?"]
    events = [each.type async for each in asker.requests.events(asked.id, limit=1)]
    assert len(events) >= 2
    found = [each.id async for each in asker.requests.list(status="answered", priority="high")]
    assert asked.id in found


async def test_a_question_that_goes_to_others(
    asker: AsyncClient, reviewer: AsyncClient, guarded: Server
) -> None:
    other = await guarded.installation.person(Role.reviewer)
    asked = await asker.requests.create("Whose is it?", "text", priority="low")
    assigned = await asker.requests.assign(asked.id, assignees=[other.email])
    assert list(assigned.assignee_ids) == [str(other.id)]
    with pytest.raises(NotFound):
        await reviewer.requests.respond(asked.id, "Mine")
    with pytest.raises(Invalid):
        await asker.requests.assign(asked.id, assignees=["nobody@example.com"])
    with pytest.raises(Invalid) as caught:
        await asker.requests.escalate(asked.id)
    assert caught.value.code == "nobody_to_escalate_to"
    escalated = await asker.requests.escalate(
        asked.id, escalate_to_role="reviewer", reason="They are away"
    )
    assert escalated.priority is Priority.medium
    assert (await reviewer.requests.respond(asked.id, "Mine")).response == "Mine"
    anybody = await asker.requests.create("And this?", "text", assignees=[other.email])
    free = await asker.requests.assign(anybody.id, assignee_role="reviewer")
    assert (free.assignee_ids, free.assignee_role) == ([], Role.reviewer)


async def test_a_question_that_is_taken_back(asker: AsyncClient) -> None:
    asked = await asker.requests.create("May I?", "approve")
    with pytest.raises(TimedOut, match="'May I\\?'"):
        await asker.requests.wait(asked.id, timeout=0.05)
    cancelled = await asker.requests.cancel(asked.id, reason="Not needed")
    assert cancelled.status is RequestStatus.cancelled
    assert (await asker.requests.wait(asked.id)).status is RequestStatus.cancelled
    assert (await asker.requests.get(asked.id)).responses == []
