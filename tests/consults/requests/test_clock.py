"""Deadlines and escalations: at their time, once, also when nobody looked at that moment."""

import asyncio
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from tests.consults.asking import NO, YES, Asker, Row
from tests.identity.people import Installation

from assay.consults.requests.clock import keep_time, move_on
from assay.core.database import Database


async def make_due(database: Database, *requests: Row, column: str = "deadline") -> None:
    """Let a moment of requests be now."""
    async with database.session() as session:
        await session.execute(
            text(
                f"UPDATE consults.consultation_requests SET {column} = clock_timestamp() "
                "WHERE id = ANY(:ids)"
            ),
            {"ids": [UUID(request["id"]) for request in requests]},
        )


async def ended(asker: Asker, request: Row) -> Row:
    """The request once it has come to its end."""
    async with asyncio.timeout(20):
        while (row := await asker.read(request, wait=10))["status"] == "pending":
            pass
    return row


async def test_at_the_deadline_a_request_expires(asker: Asker, installation: Installation) -> None:
    async with keep_time(installation.database):
        request = await asker.ask(deadline_in=0.3)
        row = await ended(asker, request)
    assert (row["status"], row["response"], row["decided_by"]) == ("expired", None, None)
    event = (await asker.events(request))[-1]
    assert (event["type"], event["user_id"]) == ("request.expired", None)
    late = datetime.fromisoformat(event["created_at"]) - datetime.fromisoformat(row["deadline"])
    assert 0 <= late.total_seconds() < 2


async def test_a_default_is_applied_and_marked_as_such(
    asker: Asker, reviewers: list[Asker], installation: Installation
) -> None:
    async with keep_time(installation.database):
        request = await asker.ask(deadline_in=0.3, default_response=NO, quorum=2, rule="unanimous")
        await reviewers[0].answer(request, YES)
        row = await ended(asker, request)
    assert (row["status"], row["response"], row["decided_by"]) == ("answered", NO, "default")
    assert row["responded_at"] is not None
    problem = await reviewers[1].answer(request, YES, 409)
    assert problem["code"] == "request_ended"


async def test_what_fell_due_while_nobody_looked_is_caught_up_once(
    asker: Asker, installation: Installation
) -> None:
    requests = [await asker.ask(deadline_in=900) for _ in range(30)]
    decided = [
        await asker.ask(deadline_in=900, default_response=YES, escalate_after=60, **TO_ADMINS)
        for _ in range(10)
    ]
    database = installation.database
    await make_due(database, *requests, *decided)
    await make_due(database, *decided, column="escalate_at")
    # Several servers come back at the same moment.
    moved = await asyncio.gather(*(move_on(database) for _ in range(4)))
    assert sum(moved) == 40
    for request in (*requests, *decided):
        types = [event["type"] for event in await asker.events(request)]
        end = "request.expired" if request in requests else "request.answered"
        assert types == ["request.created", end]


TO_ADMINS = {"escalate_to_role": "admin"}


async def test_no_answer_counts_between_the_deadline_and_the_clock(
    asker: Asker, reviewers: list[Asker], installation: Installation
) -> None:
    request = await asker.ask(deadline_in=900)
    await make_due(installation.database, request)
    assert (await reviewers[0].answer(request, YES, 409))["code"] == "deadline_passed"
    await move_on(installation.database)
    assert (await asker.read(request))["status"] == "expired"


async def test_an_escalation_lets_more_answer(
    asker: Asker, reviewers: list[Asker], installation: Installation
) -> None:
    first, second, _ = reviewers
    request = await asker.ask(
        assignees=[first.id], escalate_after=900, escalate_to=[second.id], priority="high"
    )
    await second.read(request, 404)
    await make_due(installation.database, request, column="escalate_at")
    async with keep_time(installation.database), asyncio.timeout(20):
        while not (await asker.read(request))["escalated_at"]:
            await asyncio.sleep(0.05)
    row = await asker.read(request)
    assert (row["assignee_ids"], row["priority"]) == ([first.id, second.id], "urgent")
    await move_on(installation.database)
    events = [event for event in await asker.events(request) if "escalated" in event["type"]]
    assert [event["user_id"] for event in events] == [None]
    assert (await second.answer(request, YES))["status"] == "answered"
