import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_ai.tools import DeferredToolRequests
from pydantic_graph import End

from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.tasks.agent import TaskAgent, build_agent, unfinished, waiting_for
from assay.agents.tasks.tools.desk import CallResult, Decision, Desk, Verdict
from assay.agents.tasks.tools.planning import Finished
from assay.core.errors import Invalid
from assay.testing.script import Call, Turn

Put = Callable[[Mapping[str, str]], Awaitable[None]]
Play = Callable[..., Awaitable[Any]]

FINISH = Turn(calls=[Call("finish", {"summary": "done", "tested": "ran it"})])


class Notes:
    """Keeps what a desk tells."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.results: dict[str, CallResult] = {}

    async def begin(self, call_id: str, tool: str, arguments: Mapping[str, Any]) -> None:
        self.begun.append(tool)

    async def done(self, call_id: str, tool: str, result: CallResult) -> None:
        self.results[call_id] = result

    def texts(self) -> list[str]:
        return [result["text"] for result in self.results.values()]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def watched(desk: Desk, notes: Notes) -> Desk:
    return replace(desk, begun=notes.begin, done=notes.done)


def results_in(request: Mapping[str, Any]) -> list[str]:
    return [m["content"] for m in request["messages"] if m["role"] == "tool"]


async def test_a_task_is_worked_at_to_its_end(
    play: Play, put: Put, watched: Desk, notes: Notes
) -> None:
    await put({"greet.py": "print('helo')\n"})
    model, server = await play(
        Turn("I look.", [Call("read_file", {"path": "greet.py"})]),
        Turn(calls=[Call("edit_file", {"path": "greet.py", "old": "helo", "new": "hello"})]),
        Turn(calls=[Call("run_command", {"command": "python3 greet.py"})]),
        FINISH,
    )
    result = await build_agent(model, "Work.").run("Fix it", deps=watched)
    assert result.output == Finished(summary="done", tested="ran it")
    assert notes.texts() == [
        "     1\tprint('helo')",
        "changed greet.py",
        "exit code 0\nhello",
    ]
    assert notes.begun == ["read_file", "edit_file", "run_command"]
    request = server.last_request
    assert request["messages"][0] == {"role": "system", "content": "Work."}
    assert {tool["function"]["name"] for tool in request["tools"]} >= {"finish", "run_command"}
    assert results_in(request) == notes.texts()


async def test_it_goes_on_from_stored_messages_after_each_step(
    play: Play, put: Put, desk: Desk, notes: Notes, sandbox: Any
) -> None:
    await put({"a.txt": "1\n"})
    append = {"command": "echo more >> a.txt"}
    model, server = await play(
        Turn(calls=[Call("run_command", append), Call("run_command", append)]),
        Turn(calls=[Call("read_file", {"path": "a.txt"})]),
        FINISH,
    )
    stored: list[bytes] = []
    output: object = None
    while output is None and len(stored) < 10:
        history = ModelMessagesTypeAdapter.validate_json(stored[-1]) if stored else []
        again = replace(desk, stored=dict(notes.results), done=notes.done)
        agent = build_agent(model, "Work.")
        async with agent.iter(
            None if history else "Go", deps=again, message_history=unfinished(history)
        ) as run:
            async for node in run:
                if isinstance(node, End):
                    output = node.data.output
                elif len(run.all_messages()) > len(history):
                    break  # as if the process were gone, but for what was stored
            stored.append(run.all_messages_json())
    assert isinstance(output, Finished)
    assert len(stored) == 4
    assert (sandbox.folder / "a.txt").read_text() == "1\nmore\nmore\n"
    assert server.counters.requests == 3


class Died(Exception):
    """The worker was killed."""


async def test_a_call_that_was_done_is_not_done_again(
    play: Play, put: Put, desk: Desk, notes: Notes, sandbox: Any
) -> None:
    await put({"a.txt": "1\n"})
    model, server = await play(
        Turn(
            calls=[
                Call("run_command", {"command": "echo first >> a.txt"}),
                Call("run_command", {"command": "echo second >> a.txt"}),
            ]
        ),
        FINISH,
    )

    async def die_at_the_second(call_id: str, tool: str, arguments: Mapping[str, Any]) -> None:
        if "second" in arguments["command"]:
            raise Died

    agent = build_agent(model, "Work.")
    dying = replace(desk, done=notes.done, begun=die_at_the_second)
    with pytest.raises(Died):
        async with agent.iter("Go", deps=dying) as run:
            async for _ in run:
                if run.all_messages():
                    stored = run.all_messages_json()
    assert notes.texts() == ["exit code 0\n(no output)"]

    again = replace(desk, stored=dict(notes.results), done=notes.done)
    history = unfinished(ModelMessagesTypeAdapter.validate_json(stored))
    result = await build_agent(model, "Work.").run(message_history=history, deps=again)
    assert isinstance(result.output, Finished)
    assert (sandbox.folder / "a.txt").read_text() == "1\nfirst\nsecond\n"
    assert len(results_in(server.last_request)) == 2


async def held(agent: TaskAgent, desk: Desk) -> tuple[bytes, DeferredToolRequests]:
    result = await agent.run("Go", deps=desk)
    assert isinstance(result.output, DeferredToolRequests)
    return result.all_messages_json(), result.output


def asked(desk: Desk, notes: Notes, **decisions: Decision) -> Desk:
    return replace(desk, stored=dict(notes.results), decisions=decisions, done=notes.done)


PUSHING = ApprovalPolicy(commands=["^git push"], tools=["write_file"])


async def test_a_call_that_needs_leave_waits_and_those_behind_it_too(
    play: Play, put: Put, watched: Desk, notes: Notes, sandbox: Any
) -> None:
    await put({"a.txt": "1\n"})
    model, server = await play(
        Turn(
            calls=[
                Call("read_file", {"path": "a.txt"}, "look"),
                Call("write_file", {"path": "a.txt", "content": "2\n"}, "write"),
                Call("run_command", {"command": "cat a.txt"}, "run"),
            ]
        ),
        FINISH,
    )
    desk = replace(watched, policy=PUSHING)
    messages, requests = await held(build_agent(model, "Work."), desk)
    (waiting,) = waiting_for(requests)
    assert (waiting.call_id, waiting.kind, waiting.tool) == ("write", "approval", "write_file")
    assert waiting.arguments == {"path": "a.txt", "content": "2\n"}
    assert waiting.reason == "each call of write_file needs approval"
    assert list(notes.results) == ["look"]
    assert (sandbox.folder / "a.txt").read_text() == "1\n"

    history = unfinished(ModelMessagesTypeAdapter.validate_json(messages))
    decided = asked(desk, notes, write=Decision(verdict=Verdict.approved))
    result = await build_agent(model, "Work.").run(message_history=history, deps=decided)
    assert isinstance(result.output, Finished)
    assert results_in(server.last_request) == [
        "     1\t1",
        "wrote a.txt: 1 lines",
        "exit code 0\n2",
    ]


async def test_a_refusal_reaches_the_model_with_its_reason(
    play: Play, put: Put, watched: Desk, notes: Notes
) -> None:
    await put({"a.txt": "1\n"})
    model, server = await play(
        Turn(calls=[Call("run_command", {"command": "cd . && git push -f"}, "push")]), FINISH
    )
    desk = replace(watched, policy=PUSHING)
    messages, requests = await held(build_agent(model, "Work."), desk)
    assert waiting_for(requests)[0].reason == "commands that match '^git push' need approval"
    history = unfinished(ModelMessagesTypeAdapter.validate_json(messages))
    decided = asked(desk, notes, push=Decision(verdict=Verdict.denied, text="not on a Friday"))
    await build_agent(model, "Work.").run(message_history=history, deps=decided)
    assert results_in(server.last_request) == ["Error: a person refused this call: not on a Friday"]
    assert notes.results["push"]["outcome"] == "denied"


async def test_a_person_may_change_the_arguments(
    play: Play, put: Put, watched: Desk, notes: Notes, sandbox: Any
) -> None:
    await put({"a.txt": "1\n"})
    writing = Call("write_file", {"path": "a.txt", "content": "2\n"}, "write")
    model, server = await play(Turn(calls=[writing]), FINISH)
    desk = replace(watched, policy=PUSHING)
    messages, _ = await held(build_agent(model, "Work."), desk)
    history = unfinished(ModelMessagesTypeAdapter.validate_json(messages))
    other = Decision(verdict=Verdict.approved, arguments={"path": "b.txt", "content": "3\n"})
    await build_agent(model, "Work.").run(
        message_history=history, deps=asked(desk, notes, write=other)
    )
    assert (sandbox.folder / "a.txt").read_text() == "1\n"
    assert (sandbox.folder / "b.txt").read_text() == "3\n"
    assert "a person changed the arguments" in results_in(server.last_request)[0]


async def test_a_question_waits_for_its_answer(
    play: Play, put: Put, watched: Desk, notes: Notes
) -> None:
    await put({"a.txt": "1\n"})
    question = {"question": "Which one?", "options": ["red", "blue"]}
    model, server = await play(Turn(calls=[Call("ask_human", question, "ask")]), FINISH)
    messages, requests = await held(build_agent(model, "Work."), watched)
    (waiting,) = waiting_for(requests)
    assert (waiting.kind, waiting.reason, waiting.options) == (
        "question",
        "Which one?",
        ("red", "blue"),
    )
    history = unfinished(ModelMessagesTypeAdapter.validate_json(messages))
    answer = Decision(verdict=Verdict.answered, text="blue")
    result = await build_agent(model, "Work.").run(
        message_history=history, deps=asked(watched, notes, ask=answer)
    )
    assert isinstance(result.output, Finished)
    assert results_in(server.last_request) == ["blue"]


async def test_reads_of_one_turn_run_side_by_side_and_changes_after_another(
    play: Play, put: Put, desk: Desk, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put({f"{name}.txt": f"{name}\n" for name in "abc"})
    meeting = asyncio_barrier(3)
    read = sandbox.read_file

    async def read_file(path: str, *, limit: int = 10_000_000) -> bytes:
        await meeting()  # none gets on before all three are here
        content: bytes = await read(path, limit=limit)
        return content

    monkeypatch.setattr(sandbox, "read_file", read_file)
    model, server = await play(
        Turn(calls=[Call("read_file", {"path": f"{name}.txt"}) for name in "abc"]),
        Turn(
            calls=[
                Call("run_command", {"command": f"sleep {pause}; echo {name} >> log; cat log"})
                for name, pause in (("x", 0.2), ("y", 0))
            ]
        ),
        FINISH,
    )
    await build_agent(model, "Work.").run("Go", deps=desk)
    results = results_in(server.last_request)
    assert results[:3] == [f"     1\t{name}" for name in "abc"]
    assert results[3:] == ["exit code 0\nx", "exit code 0\nx\ny"]


def asyncio_barrier(count: int) -> Callable[[], Awaitable[None]]:
    everybody = asyncio.Event()
    there = 0

    async def wait() -> None:
        nonlocal there
        there += 1
        if there == count:
            everybody.set()
        await everybody.wait()

    return wait


async def test_a_model_does_not_finish_over_a_failure_of_the_same_turn(
    play: Play, put: Put, desk: Desk
) -> None:
    await put({"a.txt": "1\n"})
    wrong = Call("edit_file", {"path": "a.txt", "old": "nowhere to be found", "new": "2"})
    model, server = await play(Turn(calls=[wrong, *FINISH.calls]), FINISH)
    result = await build_agent(model, "Work.").run("Go", deps=desk)
    assert isinstance(result.output, Finished)
    assert server.counters.requests == 2
    assert any("was not done" in text for text in results_in(server.last_request))


async def test_wrong_arguments_and_text_alone_are_told_to_the_model(
    play: Play, put: Put, desk: Desk
) -> None:
    await put({"a.txt": "1\n"})
    model, server = await play(
        Turn(calls=[Call("run_command", {"command": "true", "seconds": 9999})]),
        Turn(calls=[Call("run_command", '{"command": "tr')]),
        Turn(calls=[Call("no_such_tool", {})]),
        Turn("I am done!"),
        FINISH,
    )
    result = await build_agent(model, "Work.").run("Go", deps=desk)
    assert isinstance(result.output, Finished)
    results = results_in(server.last_request)
    assert "less than or equal to 600" in results[0]
    assert "JSON" in results[1]
    assert "no_such_tool" in results[2]
    assert "call finish" in json.dumps(server.last_request["messages"][-1])


async def test_only_allowed_tools_are_offered(play: Play, put: Put, desk: Desk) -> None:
    await put({"a.txt": "1\n"})
    model, server = await play(FINISH)
    await build_agent(model, "Work.", ["read_file"]).run("Go", deps=desk)
    offered = [tool["function"]["name"] for tool in server.last_request["tools"]]
    assert offered == ["read_file", "finish"]
    with pytest.raises(Invalid, match="fly is not a tool"):
        build_agent(model, "Work.", ["fly"])


async def test_a_finish_beside_a_call_that_waits_counts_once_that_is_done(
    play: Play, put: Put, watched: Desk, notes: Notes
) -> None:
    await put({"a.txt": "1\n"})
    writing = Call("write_file", {"path": "a.txt", "content": "2\n"}, "write")
    model, server = await play(Turn(calls=[writing, *FINISH.calls]), FINISH)
    desk = replace(watched, policy=PUSHING)
    messages, _ = await held(build_agent(model, "Work."), desk)
    history = unfinished(ModelMessagesTypeAdapter.validate_json(messages))
    denied = asked(desk, notes, write=Decision(verdict=Verdict.denied))
    result = await build_agent(model, "Work.").run(message_history=history, deps=denied)
    assert isinstance(result.output, Finished)
    assert server.counters.requests == 2  # a refusal is looked at before the end

    approved = asked(desk, Notes(), write=Decision(verdict=Verdict.approved))
    result = await build_agent(model, "Work.").run(message_history=history, deps=approved)
    assert isinstance(result.output, Finished)
    assert server.counters.requests == 2


async def test_a_finish_behind_a_stored_failure_is_no_end(
    play: Play, put: Put, desk: Desk, notes: Notes
) -> None:
    await put({"a.txt": "1\n"})
    wrong = Call("edit_file", {"path": "a.txt", "old": "nowhere", "new": "2"}, "edit")
    model, server = await play(Turn(calls=[wrong, *FINISH.calls]), FINISH)
    agent = build_agent(model, "Work.")
    async with agent.iter("Go", deps=replace(desk, done=notes.done)) as run:
        async for _ in run:
            if run.all_messages():
                break
        history = run.all_messages()
    failed: CallResult = {"text": "the old text is not there", "outcome": "failed"}
    again = replace(desk, stored={"edit": failed})
    result = await agent.run(message_history=unfinished(history), deps=again)
    assert isinstance(result.output, Finished)
    assert server.counters.requests == 2
    assert "Error: the old text is not there" in results_in(server.last_request)


async def test_many_tasks_play_their_own_scripts_at_once(play: Play, put: Put, desk: Desk) -> None:
    await put({"a.txt": "1\n"})
    scripts = {
        f"task {number};": [
            Turn(calls=[Call("read_file", {"path": "a.txt"})]),
            Turn(calls=[Call("finish", {"summary": f"did {number}", "tested": "no"})]),
        ]
        for number in range(20)
    }
    model, _ = await play(script=scripts)
    agent = build_agent(model, "Work.")
    results = await asyncio.gather(
        *(agent.run(f"Do task {n}; now", deps=replace(desk)) for n in range(20))
    )
    assert [r.output.summary for r in results if isinstance(r.output, Finished)] == [
        f"did {n}" for n in range(20)
    ]
