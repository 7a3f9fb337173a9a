"""Questions of programs, in threads and in an event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import pytest
from pydantic import BaseModel, Field, field_validator
from tests.asking.conftest import Reviewer
from tests.consults.asking import NO, YES, Asker

import assay
from assay.asking.options import AnyAskOptions, AskOptions
from assay.client import AsyncClient, Client, Conflict, Invalid, ServerUnavailable, Unauthorized
from assay.client.options import RequestOptions
from assay.consults.requests.models import DecidedBy, RequestStatus

Ask = Callable[..., Coroutine[Any, Any, Any]]
NAMES = ("ask", "approve", "choose", "form")


@pytest.fixture(params=["threads", "event loop"])
def people(request: pytest.FixtureRequest) -> dict[str, Ask]:
    """The four ways to ask, by name; in one round each blocks a thread."""
    if request.param == "event loop":
        return {name: getattr(assay, f"{name}_async") for name in NAMES}

    def blocking(name: str) -> Ask:
        async def call(*args: Any, **options: Any) -> Any:
            return await asyncio.to_thread(getattr(assay, name), *args, **options)

        return call

    return {name: blocking(name) for name in NAMES}


async def test_a_text(people: dict[str, Ask], reviewer: Reviewer, asks: Asker) -> None:
    asked = asyncio.create_task(
        people["ask"]("Which tone?", description="For the mail", priority="high", timeout=30)
    )
    request = await reviewer.answers("Warm", "As always")
    assert (request["title"], request["kind"], request["priority"]) == (
        "Which tone?",
        "text",
        "high",
    )
    answer = await asked
    assert answer.value == "Warm"
    assert answer.reason == "As always"
    assert answer.by.startswith("Reviewer")
    assert not answer.by_default
    assert str(answer.request_id) == request["id"]
    assert answer.request.requested_by == asks.id
    assert answer.request.decided_by is DecidedBy.reviewers


async def test_a_choice(people: dict[str, Ask], reviewer: Reviewer) -> None:
    choices = ["red", {"value": "blue", "label": "Blue as the sea"}]
    asked = asyncio.create_task(people["choose"]("Which colour?", choices, timeout=30))
    request = await reviewer.answers("blue")
    assert [each["value"] for each in request["options"]] == ["red", "blue"]
    assert (await asked).value == "blue"


async def test_an_approval_is_true_and_a_refusal_is_not(
    people: dict[str, Ask], reviewer: Reviewer
) -> None:
    for answer in (YES, NO):
        asked = asyncio.create_task(people["approve"]("Refund?", timeout=30))
        await reviewer.answers(answer, "So be it")
        given = await asked
        assert bool(given) is given.approved is given.value is answer["approved"]
        assert given.reason == "So be it"
        assert given.edits == {}


async def test_an_approval_with_changes(people: dict[str, Ask], reviewer: Reviewer) -> None:
    schema = {"properties": {"amount": {"type": "integer"}}, "additionalProperties": False}
    asked = asyncio.create_task(people["approve"]("Refund?", edits_schema=schema, timeout=30))
    [request] = await reviewer.sees()
    await reviewer.answer(request, {"approved": True, "edits": {"amount": "x"}}, 422)
    await reviewer.answer(request, {"approved": True, "edits": {"amount": 7}})
    assert (await asked).edits == {"amount": 7}


class Item(BaseModel):
    name: str
    count: int = Field(ge=1)


class Order(BaseModel):
    """What is ordered."""

    items: list[Item]
    speed: Literal["slow", "fast"] = "slow"

    @field_validator("items")
    @classmethod
    def _no_lead(cls, items: list[Item]) -> list[Item]:
        if any(item.name == "lead" for item in items):
            raise ValueError("No lead")
        return items


@dataclass
class Point:
    x: int
    y: int = 0


async def test_a_form_comes_back_as_an_instance(people: dict[str, Ask], reviewer: Reviewer) -> None:
    asked = asyncio.create_task(people["form"]("What?", Order, timeout=30))
    [request] = await reviewer.sees()
    off = {"items": [{"name": "tea", "count": 0}]}
    problem = await reviewer.answer(request, off, 422)
    assert [fault["pointer"] for fault in problem["errors"]] == ["/items/0/count"]
    await reviewer.answer(request, {"items": [{"name": "tea", "count": 2}]})
    assert (await asked).value == Order(items=[Item(name="tea", count=2)])
    asked = asyncio.create_task(people["form"]("Where?", Point, timeout=30))
    await reviewer.answers({"x": 3})
    assert (await asked).value == Point(3)


async def test_a_form_may_have_rules_that_no_schema_tells(
    people: dict[str, Ask], reviewer: Reviewer
) -> None:
    asked = asyncio.create_task(people["form"]("What?", Order, timeout=30))
    await reviewer.answers({"items": [{"name": "lead", "count": 2}]})
    with pytest.raises(assay.InvalidAnswer, match="items: Value error, No lead") as caught:
        await asked
    assert caught.value.request.response == {"items": [{"name": "lead", "count": 2}]}


@pytest.mark.usefixtures("asks")
async def test_the_default_is_used_at_the_deadline(people: dict[str, Ask]) -> None:
    answer = await people["ask"]("Tone?", deadline_in=0.3, default_response="Neutral", timeout=30)
    assert (answer.value, answer.by_default, answer.reason) == ("Neutral", True, None)
    assert answer.by == "the default at the deadline"
    given = await people["approve"]("Go?", deadline_in=0.3, default_response=NO, timeout=30)
    assert not given


@pytest.mark.usefixtures("asks")
async def test_without_a_default_there_is_no_answer(people: dict[str, Ask]) -> None:
    with pytest.raises(assay.NoAnswer, match="Nobody answered 'Tone") as caught:
        await people["ask"]("Tone?", deadline_in=0.3, timeout=30)
    assert caught.value.request.status is RequestStatus.expired


async def test_a_request_that_is_taken_back(
    people: dict[str, Ask], reviewer: Reviewer, asks: Asker
) -> None:
    asked = asyncio.create_task(people["ask"]("Tone?", timeout=30))
    [request] = await reviewer.sees()
    await asks.do(request, "cancel")
    with pytest.raises(assay.RequestCancelled) as caught:
        await asked
    assert isinstance(caught.value, assay.NotAnswered)


async def test_after_the_timeout_the_request_is_still_there(
    people: dict[str, Ask], reviewer: Reviewer
) -> None:
    key = str(uuid4())
    with pytest.raises(assay.StillPending, match="there is no answer") as caught:
        await people["ask"]("Tone?", timeout=0.2, idempotency_key=key)
    assert isinstance(caught.value, TimeoutError)
    request = await reviewer.answers("Warm")
    assert request["id"] == str(caught.value.request.id)
    answer = await people["ask"]("Tone?", timeout=30, idempotency_key=key)
    assert (answer.value, str(answer.request_id)) == ("Warm", request["id"])
    with pytest.raises(Conflict):
        await people["ask"]("Another tone?", idempotency_key=key)


async def test_a_key_may_be_any_text(people: dict[str, Ask], reviewer: Reviewer) -> None:
    key = f"Jürgen {uuid4()} " + "x" * 300
    asked = asyncio.create_task(people["ask"]("Tone?", timeout=30, idempotency_key=key))
    await reviewer.answers("Warm")
    first = await asked
    assert (await people["ask"]("Tone?", idempotency_key=key)).request_id == first.request_id


async def test_without_a_key_each_question_is_a_new_one(
    people: dict[str, Ask], reviewer: Reviewer
) -> None:
    asked = [asyncio.create_task(people["ask"]("Tone?", timeout=30)) for _ in range(2)]
    for number, request in enumerate(await reviewer.sees(2)):
        await reviewer.answer(request, str(number))
    assert {answer.value for answer in await asyncio.gather(*asked)} == {"0", "1"}


async def test_a_timeout_can_take_the_request_back(people: dict[str, Ask], asks: Asker) -> None:
    with pytest.raises(assay.StillPending) as caught:
        await people["ask"]("Tone?", timeout=0.2, cancel_on_exit=True)
    row = await asks.read({"id": str(caught.value.request.id)})
    assert row["status"] == "cancelled"


@pytest.mark.parametrize(("withdraw", "status"), [(False, "pending"), (True, "cancelled")])
async def test_a_cancelled_task_leaves_its_request_unless_told_otherwise(
    reviewer: Reviewer, withdraw: bool, status: str
) -> None:
    asked = asyncio.create_task(assay.ask_async("Tone?", cancel_on_exit=withdraw))
    [request] = await reviewer.sees()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (await reviewer.read(request))["status"] == status


@pytest.mark.usefixtures("asks")
async def test_what_the_server_refuses_is_told(people: dict[str, Ask]) -> None:
    with pytest.raises(Invalid) as caught:
        await people["choose"]("Which?", ["a"], default_response="b", deadline_in=60)
    assert caught.value.code == "answer_off_schema"


@pytest.mark.usefixtures("asks")
async def test_a_wrong_key_and_a_wrong_address_are_told(
    people: dict[str, Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_API_KEY", "ask_wrong")
    with pytest.raises(Unauthorized):
        await people["ask"]("Tone?")
    monkeypatch.setenv("ASSAY_URL", "http://127.0.0.1:1")
    with pytest.raises(ServerUnavailable, match="does not answer"):
        await people["ask"]("Tone?")


async def test_a_client_can_be_given(
    reviewer: Reviewer, asks: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncClient() as client:
        with Client() as blocking:
            monkeypatch.setenv("ASSAY_URL", "http://127.0.0.1:1")
            asked = [
                asyncio.create_task(assay.ask_async("Tone?", client=client, timeout=30)),
                asyncio.create_task(
                    asyncio.to_thread(assay.ask, "Tone?", client=blocking, timeout=30)
                ),
            ]
            for request in await reviewer.sees(2):
                await reviewer.answer(request, "Warm")
            assert [answer.value for answer in await asyncio.gather(*asked)] == ["Warm"] * 2


def test_the_options_are_those_of_the_client() -> None:
    ours = set(AnyAskOptions.__annotations__)
    wait = {"idempotency_key", "timeout", "cancel_on_exit"}
    assert ours - wait == set(RequestOptions.__annotations__)
    for name in set(AskOptions.__annotations__) - wait:
        assert AskOptions.__annotations__[name] == RequestOptions.__annotations__[name]


def test_what_assay_exports_is_there() -> None:
    for name in assay.__all__:
        assert getattr(assay, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        assay.nothing  # noqa: B018  # that is what is tested
