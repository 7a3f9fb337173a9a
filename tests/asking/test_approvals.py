"""Functions whose calls a person approves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.asking.conftest import Reviewer
from tests.consults.asking import NO, YES, Asker

import assay
from assay.asking.approvals import granted
from assay.asking.calls import Gated
from assay.asking.subjects import subject_hash
from assay.client import AsyncClient, Client
from assay.core.text import json_fault

Calls = list[tuple[Any, ...]]


class Address(BaseModel):
    street: str
    number: int = 1


class Speed(Enum):
    slow = "slow"
    fast = "fast"


@pytest.fixture(params=["threads", "event loop"])
def gate(request: pytest.FixtureRequest) -> Any:
    """Makes a function that a person approves, and the list of calls that were made of it."""

    def make(**options: Any) -> tuple[Any, Calls]:
        made: Calls = []

        def refund(order: str, cents: int = 100, day: date | None = None) -> str:
            made.append((order, cents, day))
            return f"{order} refunded"

        async def refund_later(order: str, cents: int = 100, day: date | None = None) -> str:
            return refund(order, cents, day)

        options = {"timeout": 30, **options}
        if request.param == "event loop":
            return assay.require_approval(**options)(refund_later), made
        blocking = assay.require_approval(**options)(refund)

        async def in_thread(*args: Any, **named: Any) -> str:
            return await asyncio.to_thread(blocking, *args, **named)

        return in_thread, made

    return make


async def test_a_call_waits_for_its_approval(gate: Any, reviewer: Reviewer) -> None:
    refund, made = gate(title="Refund {cents} cents of {order}?", priority="high")
    called = asyncio.create_task(refund("A1", day=date(2026, 3, 1)))
    [request] = await reviewer.sees()
    assert made == []
    assert request["title"] == "Refund 100 cents of A1?"
    assert request["priority"] == "high"
    shown = {"order": "A1", "cents": 100, "day": "2026-03-01"}
    assert request["context"]["arguments"] == shown
    name = request["context"]["function"]
    assert ".refund" in name
    assert request["subject_hash"] == subject_hash(name, shown)
    await reviewer.answer(request, YES, subject_hash=request["subject_hash"])
    assert await called == "A1 refunded"
    assert made == [("A1", 100, date(2026, 3, 1))]


async def test_a_refusal_says_why(gate: Any, reviewer: Reviewer) -> None:
    refund, made = gate()
    called = asyncio.create_task(refund("A1"))
    request = await reviewer.answers(NO, "Too much")
    assert request["title"].startswith("Call refund")
    with pytest.raises(assay.Refused, match=r"was refused by Reviewer .*: Too much") as caught:
        await called
    assert caught.value.reason == "Too much"
    assert made == []


@pytest.mark.usefixtures("asks")
async def test_the_deadline_can_refuse(gate: Any) -> None:
    refund, made = gate(deadline_in=0.3, default_response=NO)
    with pytest.raises(assay.Refused, match="by the default at the deadline"):
        await refund("A1")
    refund, made = gate(deadline_in=0.3)
    with pytest.raises(assay.NoAnswer):
        await refund("A1")
    assert made == []


async def test_an_approval_of_other_arguments_is_refused(gate: Any, reviewer: Reviewer) -> None:
    key = str(uuid4())
    refund, made = gate(idempotency_key=key)
    called = asyncio.create_task(refund("A1", 5))
    await reviewer.answers(YES)
    await called
    with pytest.raises(assay.ApprovalMismatch, match="other arguments"):
        await refund("A1", 5_000_000)
    assert made == [("A1", 5, None)]
    # The same call finds its approval.
    assert await refund("A1", 5) == "A1 refunded"


async def test_the_hash_of_the_approval_is_held_against_the_call(reviewer: Reviewer) -> None:
    def pay(cents: int) -> None:
        raise AssertionError("it was called")

    gated = Gated(pay, editable=(), exclude=(), templates=())
    small, large = gated.call((5,), {}), gated.call((5_000,), {})
    asked = asyncio.create_task(
        assay.ask_async("Pay?", kind="approve", subject_hash=small.subject_hash, timeout=30)
    )
    await reviewer.answers(YES)
    approval = granted((await asked).request)
    assert gated.approved(small, approval).arguments == {"cents": 5}
    with pytest.raises(assay.ApprovalMismatch, match="approves another call"):
        gated.approved(large, approval)


async def test_a_key_can_name_the_arguments(gate: Any, reviewer: Reviewer) -> None:
    run = uuid4()
    refund, made = gate(idempotency_key=f"{run}/{{order}}")
    for order in ("A1", "A2"):
        called = asyncio.create_task(refund(order))
        await reviewer.answers(YES)
        await called
    await refund("A1")
    assert [order for order, *_ in made] == ["A1", "A2", "A1"]


async def test_a_reviewer_may_change_what_is_editable(gate: Any, reviewer: Reviewer) -> None:
    refund, made = gate(editable=["cents", "day"])
    called = asyncio.create_task(refund("A1"))
    [request] = await reviewer.sees()
    edits = request["response_schema"]["properties"]["edits"]
    assert edits["properties"]["cents"]["default"] == 100
    for off in ({"order": "A2"}, {"cents": "many"}, {"day": "tomorrow"}):
        await reviewer.answer(request, {"approved": True, "edits": off}, 422)
    change = {"cents": 50, "day": "2026-03-02"}
    await reviewer.answer(request, {"approved": True, "edits": change})
    await called
    assert made == [("A1", 50, date(2026, 3, 2))]


async def test_changes_come_as_the_types_of_the_annotations(reviewer: Reviewer) -> None:
    made: Calls = []

    @assay.require_approval(editable=["to", "speed", "price", "tags"], timeout=30)
    async def ship(
        to: list[Address], *, speed: Speed = Speed.slow, price: Decimal, tags: set[str]
    ) -> None:
        made.append((to, speed, price, tags))

    called = asyncio.create_task(ship([Address(street="A")], price=Decimal("1.50"), tags={"b"}))
    [request] = await reviewer.sees()
    assert request["context"]["arguments"] == {
        "to": [{"street": "A", "number": 1}],
        "speed": "slow",
        "price": "1.50",
        "tags": ["b"],
    }
    await reviewer.answer(
        request, {"approved": True, "edits": {"to": [{"street": "B", "number": "x"}]}}, 422
    )
    edits = {
        "to": [{"street": "B", "number": 7}],
        "speed": "fast",
        "price": "2.75",
        "tags": ["c", "d"],
    }
    await reviewer.answer(request, {"approved": True, "edits": edits})
    await called
    assert made == [([Address(street="B", number=7)], Speed.fast, Decimal("2.75"), {"c", "d"})]


async def test_arguments_that_change_meanwhile_are_refused(reviewer: Reviewer) -> None:
    made: Calls = []

    @assay.require_approval(timeout=30)
    async def pay(items: list[str]) -> None:
        made.append(tuple(items))

    items = ["tea"]
    called = asyncio.create_task(pay(items))
    await reviewer.sees()
    items.append("gold")
    await reviewer.answers(YES)
    with pytest.raises(assay.ApprovalMismatch, match="were changed while"):
        await called
    assert made == []


async def test_methods_and_what_is_left_out(reviewer: Reviewer, asks: Asker) -> None:
    class Shop:
        def __init__(self) -> None:
            self.sold: Calls = []

        @assay.require_approval(title="Sell {what}?", exclude=["password"], timeout=30)
        async def sell(self, what: str, *more: str, password: str, **notes: Any) -> str:
            self.sold.append((what, *more, password, notes))
            return what

    shop = Shop()
    called = asyncio.create_task(shop.sell("tea", "pot", password="hush-hush", to=["Ada"]))
    [request] = await reviewer.sees()
    shown = {"what": "tea", "more": ["pot"], "notes": {"to": ["Ada"]}}
    assert request["context"]["arguments"] == shown
    assert "hush-hush" not in str(await asks.read(request))
    await reviewer.answer(request, YES)
    assert await called == "tea"
    assert shop.sold == [("tea", "pot", "hush-hush", {"to": ["Ada"]})]


async def test_without_parentheses_and_as_it_was(reviewer: Reviewer) -> None:
    @assay.require_approval
    async def leave(where: str) -> str:
        """Go away."""
        return where

    assert (leave.__name__, leave.__doc__) == ("leave", "Go away.")
    called = asyncio.create_task(leave(where="home"))
    await reviewer.answers(YES)
    assert await called == "home"


def never(**options: Any) -> Any:
    """A function that must not be called, behind an approval."""

    @assay.require_approval(**options)
    def fail(what: Any, secret: Any = None) -> None:
        raise AssertionError("it was called")

    return fail


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "The argument what cannot be shown to a reviewer: object is no JSON"),
        (iter([1]), "it can be read only once; give a list"),
        (float("nan"), "Numbers must be finite"),
        ({"deep": [0, 2**70]}, r"argument what\['deep'\]\[1\]"),
        ("\x00", "NUL"),
        (b"\xff", "what cannot be shown"),
    ],
)
def test_an_argument_that_is_no_json_is_named(value: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        never()(value)


def test_arguments_are_looked_at_before_anybody_is_asked() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'what'"):
        never()()


def numbers() -> Iterator[int]:
    yield 1


async def later_numbers() -> AsyncIterator[int]:
    yield 1


def plain(a: int, b) -> None:  # type: ignore[no-untyped-def]  # that is tested
    pass


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (numbers, {}, "is a generator"),
        (later_numbers, {}, "is a generator"),
        (staticmethod(plain), {}, "Write @staticmethod or @classmethod above"),
        (print, {}, "Only functions"),
        (plain, {"editable": ["c"]}, "has no argument c"),
        (plain, {"exclude": ["c"]}, "has no argument c"),
        (plain, {"editable": ["b"]}, "needs an annotation"),
        (plain, {"editable": ["a"], "exclude": ["a"]}, "has to be shown"),
        (plain, {"title": "Do {c}?"}, "names 'c', which"),
        (plain, {"title": "Do {b.real}?", "exclude": ["b"]}, "names 'b', which"),
        (plain, {"idempotency_key": "{}"}, "names ''"),
        (plain, {"client": AsyncClient("http://127.0.0.1:1")}, "wants its client to be"),
    ],
)
def test_what_cannot_be_approved_is_told_at_once(function: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        assay.require_approval(**options)(function)


def test_a_coroutine_function_wants_the_other_client() -> None:
    async def go() -> None:
        pass

    with Client("http://127.0.0.1:1") as client, pytest.raises(TypeError, match="AsyncClient"):
        assay.require_approval(client=client)(go)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
).filter(lambda value: json_fault(value) is None)


@given(JSON, JSON)
def test_one_hash_is_of_one_set_of_arguments(one: Any, other: Any) -> None:
    same = repr(_sorted(one)) == repr(_sorted(other))
    assert (subject_hash("f", {"a": one}) == subject_hash("f", {"a": other})) is same
    assert subject_hash("f", {"a": one}) != subject_hash("g", {"a": one})


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
