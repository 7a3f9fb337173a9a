"""Agents of pydantic-ai, and a person who answers them."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from pydantic_ai import Agent, DeferredToolRequests, ToolApproved, ToolDenied
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from tests.asking.conftest import Reviewer
from tests.consults.asking import NO, YES

import assay
from assay.asking.pydantic_ai import AskPeople, answer_deferred, run_with_people
from assay.client import Invalid

Call = tuple[str, dict[str, Any]]


def returns(messages: list[ModelMessage]) -> list[str]:
    """What tools gave back last."""
    last = messages[-1]
    assert isinstance(last, ModelRequest)
    return [str(part.content) for part in last.parts if isinstance(part, ToolReturnPart)]


def agent_that(*steps: list[Call]) -> tuple[Agent[None, str], list[tuple[str, int]]]:
    """An agent that makes these calls, step by step, then says what came of the last ones."""

    def model(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        done = sum(isinstance(each, ModelResponse) for each in messages)
        if done < len(steps):
            return ModelResponse([ToolCallPart(name, args) for name, args in steps[done]])
        return ModelResponse([TextPart(" | ".join(returns(messages)))])

    agent: Agent[None, str] = Agent(FunctionModel(model), name="Clerk")
    made: list[tuple[str, int]] = []

    @agent.tool_plain(requires_approval=True)
    def refund(order: str, cents: int) -> str:
        made.append((order, cents))
        return f"{order}: {cents} refunded"

    @agent.tool_plain
    def look_up(order: str) -> str:
        return f"{order} is late"

    return agent, made


def refund(order: str, cents: int) -> Call:
    return "refund", {"order": order, "cents": cents}


async def test_people_approve_refuse_and_change_side_by_side(reviewer: Reviewer) -> None:
    agent, made = agent_that(
        [("look_up", {"order": "A0"})], [refund("A1", 10), refund("A2", 20), refund("A3", 30)]
    )
    people: AskPeople[None] = AskPeople(editable=["refund"], timeout=30, priority="urgent")
    running = asyncio.create_task(run_with_people(agent, "Go", people=people))
    requests = await reviewer.sees(3)
    by_order = {each["context"]["arguments"]["order"]: each for each in requests}
    assert {(each["title"], each["agent_id"], each["priority"]) for each in requests} == {
        ("Call refund?", "Clerk", "urgent")
    }
    assert len({each["subject_hash"] for each in requests}) == 3
    await reviewer.answer(by_order["A1"], YES)
    await reviewer.answer(by_order["A2"], NO, comment="Paid already")
    await reviewer.answer(by_order["A3"], {"approved": True, "edits": {"cents": "x"}}, 422)
    await reviewer.answer(by_order["A3"], {"approved": True, "edits": {"cents": 3}})
    said = (await running).output.split(" | ")
    assert said[0] == "A1: 10 refunded"
    assert said[1].endswith("refused this: Paid already")
    assert said[2] == "A3: 3 refunded"
    assert sorted(made) == [("A1", 10), ("A3", 3)]


async def test_a_model_asks_people(reviewer: Reviewer) -> None:
    question = {"question": "Which tone?", "background": "A **mail**"}
    colour = {"question": "Which colour?", "options": ["red", "blue"]}
    agent, _ = agent_that([("ask_human", question), ("ask_human", colour)])
    running = asyncio.create_task(run_with_people(agent, "Go", people=AskPeople(timeout=30)))
    for request in await reviewer.sees(2):
        kind = request["kind"]
        if kind == "text":
            assert request["description"] == "Which tone?\n\nA **mail**"
        await reviewer.answer(request, {"text": "Warm", "choose": "blue"}[kind])
    assert (await running).output == "Warm | blue"


@pytest.mark.usefixtures("asks")
async def test_nobody_answers_before_the_deadline() -> None:
    agent, made = agent_that([refund("A1", 10), ("ask_human", {"question": "Tone?"})])
    people: AskPeople[None] = AskPeople(timeout=30, deadline_in=0.3)
    result = await run_with_people(agent, "Go", people=people)
    refused, asked = result.output.split(" | ")
    assert "Nobody answered 'Call refund?' before its deadline" in refused
    assert "Nobody answered 'Tone?'" in asked
    assert made == []


async def test_a_question_that_cannot_be_put_is_put_better(reviewer: Reviewer) -> None:
    long = {"question": "Which?", "options": ["x" * 256, 1]}
    short = {"question": "Which?", "options": [1, 1, 2]}
    agent, _ = agent_that([("ask_human", long)], [("ask_human", short)])
    running = asyncio.create_task(run_with_people(agent, "Go", people=AskPeople(timeout=30)))
    await reviewer.answers("2")
    result = await running
    assert result.output == "2"
    assert "body.options[0].value" in str(result.all_messages()[2])


@pytest.mark.usefixtures("asks")
async def test_options_of_the_program_that_are_wrong_are_its_error() -> None:
    agent, _ = agent_that([("ask_human", {"question": "Which?"})])
    people: AskPeople[None] = AskPeople(assignees=["nobody@example.com"])
    with pytest.raises(Invalid, match="There is no active user"):
        await run_with_people(agent, "Go", people=people)


async def test_what_is_done_twice_is_approved_twice(reviewer: Reviewer) -> None:
    agent, made = agent_that([refund("A1", 10), refund("A1", 10)], [refund("A1", 10)])
    people: AskPeople[None] = AskPeople(key=str(uuid4()), timeout=30)
    running = asyncio.create_task(run_with_people(agent, "Go", people=people))
    for request in await reviewer.sees(2):
        await reviewer.answer(request, YES)
    await reviewer.answers(YES)
    await running
    assert made == [("A1", 10)] * 3


async def test_a_run_that_is_begun_again_finds_its_answers(reviewer: Reviewer) -> None:
    key = str(uuid4())
    steps = [[("ask_human", {"question": "Tone?"})], [refund("A1", 10), refund("A2", 20)]]
    agent, made = agent_that(*steps)
    people: AskPeople[None] = AskPeople(key=key, timeout=30)
    running = asyncio.create_task(run_with_people(agent, "Go", people=people))
    await reviewer.answers("Warm")
    first, second = await reviewer.sees(2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for request in (first, second):
        await reviewer.answer(request, YES)
    assert made == []
    agent, made = agent_that(*steps)
    people = AskPeople(key=key, timeout=5)
    assert (await run_with_people(agent, "Go", people=people)).output
    # The calls of a step are made side by side, in no order.
    assert sorted(made) == [("A1", 10), ("A2", 20)]
    # What it does otherwise this time is asked anew.
    agent, made = agent_that(steps[0], [refund("A1", 11)])
    people = AskPeople(key=key, timeout=0.2)
    with pytest.raises(assay.StillPending):
        await run_with_people(agent, "Go", people=people)
    assert made == []


async def test_without_asking_there_is_no_such_tool() -> None:
    seen: list[str] = []

    def model(_messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.extend(tool.name for tool in info.function_tools)
        return ModelResponse([TextPart("Done")])

    await run_with_people(Agent(FunctionModel(model)), "Go", people=AskPeople(ask=False))
    await run_with_people(Agent(FunctionModel(model)), "Go")
    assert seen == ["ask_human"]


@pytest.fixture
def deferred() -> DeferredToolRequests:
    """What an agent left to be decided."""
    return DeferredToolRequests(
        approvals=[ToolCallPart("refund", '{"order": "A1", "cents": 5}', tool_call_id="1")],
        calls=[
            ToolCallPart("ask_human", {"question": "Tone?"}, tool_call_id="2"),
            ToolCallPart("run_elsewhere", {}, tool_call_id="3"),
        ],
    )


Give = Callable[[str], Any]


async def test_deferred_calls_are_answered(
    reviewer: Reviewer, deferred: DeferredToolRequests
) -> None:
    key = str(uuid4())
    schema = {"properties": {"cents": {"type": "integer"}}}
    for timeout in (30, 5):
        asked = asyncio.create_task(
            answer_deferred(deferred, key=key, editable={"refund": schema}, timeout=timeout)
        )
        if timeout == 30:
            for request in await reviewer.sees(2):
                edited = {"approved": True, "edits": {"cents": 4}}
                await reviewer.answer(request, edited if request["kind"] == "approve" else "Warm")
        results = await asked
        assert results.approvals == {"1": ToolApproved(override_args={"order": "A1", "cents": 4})}
        # The other one is for the program to run.
        assert results.calls == {"2": "Warm"}
    deferred.approvals[0] = ToolCallPart("refund", {"order": "A1"}, tool_call_id="1")
    with pytest.raises(assay.ApprovalMismatch):
        await answer_deferred(deferred, key=key, editable={"refund": schema}, timeout=5)


@pytest.mark.usefixtures("asks")
async def test_deferred_calls_that_nobody_answers(deferred: DeferredToolRequests) -> None:
    results = await answer_deferred(deferred, deadline_in=0.3, timeout=30)
    denied, failed = results.approvals["1"], results.calls["2"]
    assert isinstance(denied, ToolDenied)
    assert denied.message.endswith("It was not done.")
    assert isinstance(failed, ToolFailed)
