"""`assay mcp` as a process, driven by the official client."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from tests.asking.conftest import Reviewer
from tests.consults.asking import NO, YES, Asker

COMMAND = ["-m", "assay.cli.main", "mcp"]


def connected(**environment: str) -> Client:
    names = ("ASSAY_URL", "ASSAY_API_KEY")
    env = {name: os.environ[name] for name in names if name in os.environ}
    command = [*COMMAND, "--agent", "researcher"]
    server = StdioServerParameters(command=sys.executable, args=command, env=env | environment)
    return Client(server, read_timeout_seconds=60)


async def called(client: Client, tool: str, progress: Any = None, **arguments: Any) -> Any:
    """What a tool gives."""
    result = await client.call_tool(tool, arguments, progress_callback=progress)
    assert not result.is_error, result.content
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """What a tool says that went wrong."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return "".join(getattr(each, "text", "") for each in result.content)


async def test_a_client_asks_and_waits(reviewer: Reviewer) -> None:
    steps: list[str | None] = []

    async def progress(_done: float, _total: float | None, message: str | None) -> None:
        steps.append(message)

    async with connected() as client:
        asked = asyncio.create_task(
            called(
                client,
                "ask_person",
                progress,
                question="Delete the old index?",
                details="It has **40 GB**",
                kind="approve",
                priority="high",
                wait_seconds=50,
            )
        )
        request = await reviewer.answers(YES, "Go on")
        outcome = await asked
    assert request["agent_id"] == "researcher"
    assert (request["title"], request["description"], request["priority"]) == (
        "Delete the old index?",
        "It has **40 GB**",
        "high",
    )
    assert (outcome["status"], outcome["answer"]) == ("answered", YES)
    assert outcome["by_default"] is False
    [said] = outcome["responses"]
    assert (said["answer"], said["comment"]) == (YES, "Go on")
    assert said["by"].startswith("Reviewer")
    assert steps[0] == "Waiting for a person to answer"


async def test_an_answer_is_read_later(reviewer: Reviewer, asks: Asker) -> None:
    form = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    async with connected() as client:
        # One that somebody else asked is none of this server's.
        await asks.ask(title="Of another program")
        for kind, more, answer in (
            ("text", {}, "Warm"),
            ("choose", {"options": ["red", "blue"]}, "blue"),
            ("form", {"form_schema": form}, {"city": "Paris"}),
            ("approve", {}, NO),
        ):
            question = f"A {kind}?"
            key = str(uuid4())
            for _ in range(2):
                outcome = await called(
                    client,
                    "ask_person",
                    question=question,
                    kind=kind,
                    wait_seconds=0.1,
                    idempotency_key=key,
                    **more,
                )
                assert outcome["status"] == "pending"
                assert "read_answer" in outcome["next"]
            pending = await called(client, "list_pending")
            assert [(each["question"], each["kind"]) for each in pending["requests"]] == [
                (question, kind)
            ]
            request_id = pending["requests"][0]["request_id"]
            assert request_id == outcome["request_id"]
            reading = asyncio.create_task(
                called(client, "read_answer", request_id=request_id, wait_seconds=50)
            )
            await reviewer.answer({"id": request_id}, answer)
            outcome = await reading
            assert (outcome["status"], outcome["answer"]) == ("answered", answer)
        assert (await called(client, "list_pending"))["requests"] == []


async def test_a_question_is_taken_back_or_ends(asks: Asker) -> None:
    async with connected() as client:
        asked = await called(client, "ask_person", question="Tone?", wait_seconds=0)
        request_id = asked["request_id"]
        outcome = await called(client, "cancel_request", request_id=request_id, reason="Done")
        assert outcome["status"] == "cancelled"
        events = await asks.events({"id": request_id})
        assert events[-1]["details"]["reason"] == "Done"
        assert "cancelled" in await refused(client, "cancel_request", request_id=request_id)
        soon = {"question": "Tone?", "deadline_seconds": 0.3, "wait_seconds": 50}
        outcome = await called(client, "ask_person", **soon)
        assert (outcome["status"], outcome["answer"]) == ("expired", None)
        outcome = await called(client, "ask_person", **soon, default_answer="Neutral")
        assert (outcome["answer"], outcome["by_default"]) == ("Neutral", True)


@pytest.mark.usefixtures("asks")
async def test_models_are_told_what_the_tools_are_for() -> None:
    async with connected() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert client.instructions
    assert set(tools) == {"ask_person", "read_answer", "list_pending", "cancel_request"}
    for tool in tools.values():
        assert len(tool.description or "") > 60
        assert tool.output_schema
    arguments = tools["ask_person"].input_schema["properties"]
    assert arguments["kind"]["enum"] == ["text", "approve", "choose", "form"]
    assert "context" not in arguments
    assert tools["ask_person"].input_schema["required"] == ["question"]


@pytest.mark.usefixtures("asks")
async def test_faults_are_told_to_the_model() -> None:
    async with connected() as client:
        told = await refused(client, "ask_person", question="Which?", kind="choose")
        assert "A request of the kind choose needs it" in told
        assert "request_id" in await refused(client, "read_answer", request_id="x")
        told = await refused(client, "read_answer", request_id=str(uuid4()))
        assert "There is no request with this id" in told
    async with connected(ASSAY_API_KEY="ask_wrong") as client:
        told = await refused(client, "ask_person", question="Tone?")
        assert "key" in told
        assert "ask_wrong" not in told
    async with connected(ASSAY_URL="http://127.0.0.1:1") as client:
        told = await refused(client, "list_pending")
        assert "The server at http://127.0.0.1:1 does not answer" in told


@contextmanager
def over_http() -> Iterator[str]:
    """`assay mcp --http`, until it is interrupted; gives where it is."""
    command = [sys.executable, *COMMAND, "--http", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"http://\S+/mcp", line)
            assert found, line
            yield found[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


async def test_over_http(reviewer: Reviewer) -> None:
    with over_http() as url:
        async with Client(url, read_timeout_seconds=60) as client:
            asked = asyncio.create_task(
                called(client, "ask_person", question="Tone?", wait_seconds=50)
            )
            request = await reviewer.answers("Warm")
            assert request["agent_id"] == "mcp"
            assert (await asked)["answer"] == "Warm"
        # A page in a browser that had its own name lead here gets nothing.
        async with httpx2.AsyncClient() as browser:
            answer = await browser.post(url, json={}, headers={"Host": "evil.example.com"})
        assert answer.status_code == 421


def test_the_end_of_its_input_and_an_interrupt_end_it() -> None:
    for end in (subprocess.Popen.terminate, lambda process: process.send_signal(signal.SIGINT)):
        with subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            end(process)
            process.wait(timeout=20)
            assert process.stdout is not None
            assert process.stdout.read() == b""
    command = [sys.executable, *COMMAND]
    ended = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
