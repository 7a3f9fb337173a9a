"""What can be asked, and what is refused with its place."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.consults.asking import Asker, places
from tests.identity.people import Installation, Person

from assay.core.ids import new_id
from assay.identity.actor import Role, Scope

FORM = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}


async def test_a_request_as_its_asker_reads_it(asker: Asker) -> None:
    made = await asker.ask(
        description="Order **1234**",
        context={"diff": "+1 -1"},
        metadata={"trace": "t1"},
        priority="high",
        agent_id="refunds",
        subject_hash="sha256:abc",
        deadline_in=60,
        default_response={"approved": False},
    )
    assert made == {**await asker.read(made), "callback_secret": None}
    assert made["status"] == "pending"
    assert made["requested_by"] == asker.id
    assert made["metadata"] == {"trace": "t1"}
    assert made["context"] == {"diff": "+1 -1"}
    assert made["response_schema"]["required"] == ["approved"]
    assert made["response"] is made["decided_by"] is made["responded_at"] is None
    assert made["may_answer"] is False
    left = datetime.fromisoformat(made["deadline"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)


async def test_each_kind_has_the_schema_of_its_answers(asker: Asker) -> None:
    text = await asker.ask(kind="text")
    assert text["response_schema"]["type"] == "string"
    choose = await asker.ask(kind="choose", options=["red", {"value": "b", "label": "Blue"}])
    assert choose["response_schema"] == {"enum": ["red", "b"]}
    assert [option["label"] for option in choose["options"]] == [None, "Blue"]
    form = await asker.ask(kind="form", response_schema=FORM)
    assert form["response_schema"] == FORM
    edited = await asker.ask(edits_schema=FORM)
    assert edited["response_schema"]["properties"]["edits"].items() >= FORM.items()


PAST = "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"title": ""}, "body.title"),
        ({"kind": "guess"}, "body.kind"),
        ({"kind": "choose"}, "body.options"),
        ({"kind": "choose", "options": ["a", "a"]}, "body.options"),
        ({"options": ["a"]}, "body.options"),
        ({"kind": "form"}, "body.response_schema"),
        ({"kind": "form", "response_schema": {"type": "nothing"}}, "body.response_schema.type"),
        ({"response_schema": FORM}, "body.response_schema"),
        ({"kind": "text", "edits_schema": FORM}, "body.edits_schema"),
        ({"quorum": 2}, "body.quorum"),
        ({"quorum": 0}, "body.quorum"),
        ({"assignee_role": "viewer"}, "body.assignee_role"),
        ({"deadline": PAST}, "body.deadline"),
        ({"deadline": "2120-01-01T00:00:00Z", "deadline_in": 5}, "body.deadline_in"),
        ({"deadline_in": 0}, "body.deadline_in"),
        ({"default_response": {"approved": True}}, "body.default_response"),
        ({"default_response": {"approved": 1}, "deadline_in": 9}, "body.default_response.approved"),
        ({"escalate_after": 5}, "body.escalate_after"),
        (
            {"escalate_after": 9, "escalate_to_role": "admin", "deadline_in": 9},
            "body.escalate_after",
        ),
        ({"assignees": ["nobody@example.com"]}, "body.assignees[0]"),
        ({"assignees": ["default"]}, "body.assignees[0]"),
        ({"assignees": ["me"]}, "body.assignees[0]"),
        ({"project_id": str(new_id())}, "body.project_id"),
        ({"callback_url": "ftp://example.com/"}, "body.callback_url"),
        ({"callback_url": "http://10.0.0.1/"}, "body.callback_url"),
        ({"callback_secret": "whsec_x"}, "body.callback_secret"),
        (
            {"callback_url": "https://example.com", "callback_secret": "whsec_x"},
            "body.callback_secret",
        ),
        ({"context": {"text": "x" * 1_000_001}}, "body.context"),
        (
            {"kind": "text", "deadline_in": 9, "default_response": "x" * 1_000_001},
            "body.default_response",
        ),
        (
            {"kind": "form", "response_schema": {"$ref": "https://example.com/schema"}},
            "body.response_schema",
        ),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_place(
    asker: Asker, fields: dict[str, Any], place: str
) -> None:
    assert places(await asker.ask(422, **fields)) == [place]


async def test_assignees_can_answer(asker: Asker, installation: Installation) -> None:
    reviewer = await installation.person(Role.reviewer)
    made = await asker.ask(assignees=[reviewer.email.upper(), str(reviewer.id)])
    assert made["assignee_ids"] == [str(reviewer.id)]
    problem = await asker.ask(422, assignees=[reviewer.email], quorum=2, rule="majority")
    assert places(problem) == ["body.quorum"]
    off = await installation.row(Role.editor, is_active=False)
    viewer = await installation.row(Role.viewer)
    problem = await asker.ask(422, assignees=[off.email, reviewer.email, viewer.email])
    assert places(problem) == ["body.assignees[0]", "body.assignees[2]"]
    # Two names of one person are one.
    twice = [reviewer.email, str(reviewer.id)]
    problem = await asker.ask(422, assignees=twice, quorum=2, rule="majority")
    assert places(problem) == ["body.assignees"]


async def test_a_key_asks_for_its_owner(asker: Asker, installation: Installation) -> None:
    client = await installation.with_key(asker.person, Scope.consults_write)
    body = {"title": "?", "kind": "text"}
    response = await client.post("/api/v1/requests", json=body)
    assert response.status_code == 201
    assert response.json()["requested_by"] == asker.id
    assert (await asker.read(response.json()))["title"] == "?"
    reading = await installation.with_key(asker.person, Scope.consults_read)
    assert (await reading.post("/api/v1/requests", json=body)).status_code == 403


async def test_the_same_key_twice_asks_once(asker: Asker, admin: Person) -> None:
    async def ask(key: str, title: str, status: int = 201, by: Asker = asker) -> Any:
        body = {"title": title, "kind": "text", "callback_url": "https://example.com/hook"}
        headers = {"Idempotency-Key": key}
        return await by.call("POST", "/requests", status, body, headers=headers)

    key = str(new_id())
    first, *others = await asyncio.gather(*(ask(key, "Why?") for _ in range(5)))
    assert others == [first] * 4
    assert first["callback_secret"].startswith("whsec_")
    problem = await ask(key, "Who?", 409)
    assert problem["code"] == "idempotency_key_reused"
    assert places(problem) == ["header.Idempotency-Key"]
    assert (await ask(key, "Who?", by=Asker(admin)))["id"] != first["id"]
    assert len(await asker.events(first)) == 1


async def test_a_callback_has_a_secret_of_the_askers_own(
    asker: Asker, installation: Installation
) -> None:
    secret = "whsec_" + "A" * 32
    made = await asker.ask(callback_url="https://example.com/hook", callback_secret=secret)
    assert made["callback_secret"] == secret
    assert "callback_secret" not in await asker.read(made)
    assert secret not in await installation.stored()
