"""Answers, decisions, and what comes of those that come too late or at the same time."""

import asyncio
from typing import Any

import pytest
from tests.consults.asking import NO, YES, Asker, places
from tests.identity.people import Installation, Person
from tests.playground.conftest import Factory

from assay.identity.actor import Role

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "e/mail~": {"type": "string", "format": "email"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


async def test_a_decision_as_the_asker_reads_it(asker: Asker, reviewers: list[Asker]) -> None:
    request = await asker.ask()
    await reviewers[0].answer(request, YES, comment="Fine")
    read = await asker.read(request)
    assert (read["status"], read["response"]) == ("answered", YES)
    assert read["decided_by"] == "reviewers"
    assert read["responded_at"] is not None
    assert [each["comment"] for each in read["responses"]] == ["Fine"]


@pytest.mark.parametrize(
    ("fields", "value", "pointers"),
    [
        ({}, True, [""]),
        ({}, {}, ["/approved"]),
        ({}, None, [""]),
        ({}, {"approved": "yes"}, ["/approved"]),
        ({}, {"approved": True, "edits": {}}, [""]),
        ({"edits_schema": {"type": "object"}}, {"approved": True, "edits": 1}, ["/edits"]),
        ({"kind": "choose", "options": ["a", "b"]}, "c", [""]),
        ({"kind": "text"}, "", [""]),
        ({"kind": "text"}, 7, [""]),
        (
            {"kind": "form", "response_schema": PERSON},
            {"e/mail~": "nowhere", "tags": ["a", 1]},
            ["/e~1mail~0", "/name", "/tags/1"],
        ),
    ],
)
async def test_an_answer_off_schema_is_refused_with_the_place_of_each_fault(
    asker: Asker,
    reviewers: list[Asker],
    fields: dict[str, Any],
    value: Any,
    pointers: list[str],
) -> None:
    request = await asker.ask(**fields)
    problem = await reviewers[0].answer(request, value, 422)
    assert sorted(fault["pointer"] for fault in problem["errors"]) == pointers
    assert all(place.startswith("body.value") for place in places(problem))
    assert (await asker.read(request))["responses"] == []


async def test_edits_may_have_definitions_of_their_own(
    asker: Asker, reviewers: list[Asker]
) -> None:
    edits = {
        "properties": {"amount": {"$ref": "#/$defs/positive"}},
        "$defs": {"positive": {"type": "number", "minimum": 0}},
    }
    request = await asker.ask(edits_schema=edits)
    value = {"approved": True, "edits": {"amount": -1}}
    problem = await reviewers[0].answer(request, value, 422)
    assert [fault["pointer"] for fault in problem["errors"]] == ["/edits/amount"]
    value["edits"] = {"amount": 1}
    assert (await reviewers[0].answer(request, value))["response"] == value


async def test_a_second_answer_after_the_decision_changes_nothing(
    asker: Asker, reviewers: list[Asker]
) -> None:
    request = await asker.ask()
    await reviewers[0].answer(request, YES)
    before = await asker.read(request)
    for who in reviewers[:2]:
        assert (await who.answer(request, NO, 409))["code"] == "request_ended"
    for what in ("cancel", "assign", "escalate"):
        assert (await asker.do(request, what, 409))["code"] == "request_ended"
    assert await asker.read(request) == before


async def test_answers_in_the_same_instant_make_one_decision(
    asker: Asker, installation: Installation
) -> None:
    people = [Asker(await installation.person(Role.reviewer)) for _ in range(8)]
    for _ in range(5):
        request = await asker.ask(kind="text")
        path = f"/api/v1/requests/{request['id']}/respond"
        answers = await asyncio.gather(
            *(each.client.post(path, json={"value": each.id}) for each in people),
            asker.client.post(f"/api/v1/requests/{request['id']}/cancel"),
        )
        won = [answer for answer in answers if answer.status_code == 200]
        assert len(won) == 1
        assert {answer.status_code for answer in answers if answer not in won} == {409}
        read = await asker.read(request)
        assert read["response"] == won[0].json()["response"]
        assert len(read["responses"]) == (read["status"] == "answered")
        ends = [each["type"] for each in await asker.events(request)]
        assert (
            len([each for each in ends if each in ("request.answered", "request.cancelled")]) == 1
        )


async def test_a_majority_of_three(asker: Asker, reviewers: list[Asker]) -> None:
    request = await asker.ask(quorum=3, rule="majority")
    first, second, third = reviewers
    assert (await first.answer(request, YES))["status"] == "pending"
    assert (await second.answer(request, NO))["status"] == "pending"
    decided = await third.answer(request, NO)
    assert (decided["status"], decided["response"]) == ("answered", NO)


async def test_reviewers_may_change_their_minds_before_the_decision(
    asker: Asker, reviewers: list[Asker]
) -> None:
    options = {"kind": "choose", "options": ["a", "b"]}
    request = await asker.ask(quorum=2, rule="unanimous", **options)
    first, second, _ = reviewers
    await first.answer(request, "a")
    assert (await second.answer(request, "b"))["status"] == "pending"
    decided = await first.answer(request, "b", comment="You are right")
    assert (decided["status"], decided["response"]) == ("answered", "b")
    assert len(decided["responses"]) == 2
    given = [e["details"]["value"] for e in await asker.events(request) if "value" in e["details"]]
    assert given == ["a", "b", "b"]


async def test_one_refusal_ends_unanimity(asker: Asker, reviewers: list[Asker]) -> None:
    request = await asker.ask(quorum=3, rule="unanimous")
    await reviewers[0].answer(request, YES)
    assert (await reviewers[1].answer(request, NO))["response"] == NO


async def test_who_was_switched_off_counts_no_more(
    asker: Asker, admin: Person, installation: Installation
) -> None:
    first, second, third = [Asker(await installation.person(Role.reviewer)) for _ in range(3)]
    request = await asker.ask(quorum=3, rule="majority")
    await first.answer(request, YES)
    off = await admin.client.patch(f"/api/v1/users/{first.id}", json={"is_active": False})
    assert off.status_code == 200
    assert (await second.answer(request, YES))["status"] == "pending"
    decided = await third.answer(request, YES)
    assert decided["status"] == "answered"
    # What they said stays on record.
    assert len(decided["responses"]) == 3


@pytest.mark.parametrize("left_with", [None, Role.viewer])
async def test_who_has_left_the_project_counts_no_more(
    admin: Person, installation: Installation, left_with: Role | None
) -> None:
    project = (await Factory(admin.client, installation.database).project())["id"]
    people = [await installation.person(Role.reviewer) for _ in range(3)]
    for person in people:
        await installation.share(admin, project, person, Role.reviewer)
    first, second, third = map(Asker, people)
    boss = Asker(admin)
    request = await boss.ask(quorum=3, rule="majority", project_id=project)
    await first.answer(request, YES)
    if left_with is None:
        left = await admin.client.delete(f"/api/v1/projects/{project}/members/{first.id}")
        assert left.status_code == 204
    else:
        await installation.share(admin, project, people[0], left_with)
    assert (await second.answer(request, YES))["status"] == "pending"
    assert (await third.answer(request, YES))["status"] == "answered"


async def test_only_who_it_is_assigned_to_may_answer(
    asker: Asker, reviewers: list[Asker], admin: Person
) -> None:
    request = await asker.ask(assignees=[reviewers[0].id])
    boss = Asker(admin)
    assert (await boss.answer(request, YES, 403))["code"] == "not_assigned"
    await boss.do(request, "assign", assignees=["me"])
    assert (await boss.answer(request, YES))["status"] == "answered"
    assert (await asker.answer(await asker.ask(), YES, 403))["code"] == "role_too_low"


async def test_who_asked_or_an_admin_takes_it_back(
    asker: Asker, reviewers: list[Asker], admin: Person
) -> None:
    request = await asker.ask()
    assert (await reviewers[0].do(request, "cancel", 403))["code"] == "not_the_asker"
    assert (await asker.do(request, "cancel", reason="Found it"))["status"] == "cancelled"
    event = (await asker.events(request))[-1]
    assert (event["type"], event["details"]) == ("request.cancelled", {"reason": "Found it"})
    other = await asker.ask()
    assert (await Asker(admin).do(other, "cancel"))["status"] == "cancelled"


async def test_an_answer_is_about_what_the_reviewer_has_seen(
    asker: Asker, reviewers: list[Asker]
) -> None:
    request = await asker.ask(subject_hash="one")
    problem = await reviewers[0].answer(request, YES, 409, subject_hash="two")
    assert problem["code"] == "other_subject"
    decided = await reviewers[0].answer(request, YES, subject_hash="one")
    assert decided["status"] == "answered"


async def test_assigning_and_escalating(
    asker: Asker, reviewers: list[Asker], installation: Installation
) -> None:
    first, second, third = reviewers
    request = await asker.ask(assignees=[first.id], escalate_to=[third.id], escalate_after=900)
    await second.do(request, "assign", 404, assignees=["me"])
    assert places(await first.do(request, "assign", 422, assignees=["x"])) == ["body.assignees[0]"]
    given = await first.do(request, "assign", assignees=[second.id])
    assert given["assignee_ids"] == [second.id]
    await first.read(request, 404)
    raised = await second.do(request, "escalate", reason="Too hard")
    assert raised["assignee_ids"] == [second.id, third.id]
    assert raised["priority"] == "high"
    assert raised["escalated_at"] is not None
    assert raised["escalate_at"] is None
    await third.answer(request, YES)
    plain = await asker.ask()
    assert (await first.do(plain, "escalate", 422))["code"] == "nobody_to_escalate_to"
    raised = await first.do(plain, "escalate", escalate_to_role="admin")
    # Whoever could answer before still can.
    assert raised["assignee_role"] == "reviewer"
    assert (await second.answer(plain, YES))["status"] == "answered"
