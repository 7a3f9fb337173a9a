"""Programs that are killed while they wait, and servers that go away meanwhile."""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from tests.asking.conftest import Reviewer
from tests.consults.asking import YES

import assay
from assay.client import AsyncClient, Client

SECONDS = 60
ASKING = """
import logging, sys, assay
logging.basicConfig(level=logging.INFO)
answer = assay.ask("Which tone?", idempotency_key=sys.argv[1], timeout=60,
                   cancel_on_exit=sys.argv[2:] == ["cancel"])
print(answer.value, answer.request_id)
"""
PAYING = """
import sys, assay

@assay.require_approval(idempotency_key="{run}/{cents}", timeout=60, editable=["cents"])
def pay(run: str, cents: int) -> None:
    print("paid", cents)

pay(sys.argv[1], 5)
"""


@contextmanager
def program(text: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A Python program as a process, killed at the latest with the context."""
    command = [sys.executable, "-c", text, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_it_waits(process: "subprocess.Popen[str]") -> None:
    """Read the log of a program up to where it says that it waits."""
    assert process.stderr is not None
    assert any("waiting at" in line for line in process.stderr)


async def printed(process: "subprocess.Popen[str]") -> str:
    """What a program prints until it ends well."""
    out, err = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize("when", ["while it is gone", "when it is back"])
async def test_a_program_that_was_killed_finds_its_answer(reviewer: Reviewer, when: str) -> None:
    key = str(uuid4())
    with program(ASKING, key) as process:
        [request] = await reviewer.sees()
        process.kill()
        assert process.wait(SECONDS) == -signal.SIGKILL
    if when == "while it is gone":
        await reviewer.answers("Warm")
    with program(ASKING, key) as process:
        if when == "when it is back":
            await asyncio.to_thread(until_it_waits, process)
            await reviewer.answers("Warm")
        assert await printed(process) == f"Warm {request['id']}\n"


async def test_a_call_that_was_to_be_approved_goes_on(reviewer: Reviewer) -> None:
    run = str(uuid4())
    with program(PAYING, run) as process:
        await reviewer.sees()
        process.kill()
    await reviewer.answers({"approved": True, "edits": {"cents": 3}})
    with program(PAYING, run) as process:
        assert await printed(process) == "paid 3\n"


@pytest.mark.parametrize(("how", "status"), [([], "pending"), (["cancel"], "cancelled")])
async def test_an_interrupted_program_leaves_its_request_unless_told_otherwise(
    reviewer: Reviewer, how: list[str], status: str
) -> None:
    with program(ASKING, str(uuid4()), *how) as process:
        [request] = await reviewer.sees()
        await asyncio.to_thread(until_it_waits, process)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    assert "KeyboardInterrupt" in err
    assert (await reviewer.read(request))["status"] == status


@pytest.fixture
async def serve(
    new_database_dsn: Callable[[], Awaitable[str]], tmp_path: Path
) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts `assay up` at a port, each time on the same database; gives the process once ready."""
    environment = {
        **os.environ,
        "DATABASE_URL": await new_database_dsn(),
        "ASSAY_HOME": str(tmp_path),
        "SHUTDOWN_SECONDS": "5",
    }

    def start(port: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "assay.cli.main", "up", "--port", port],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ready(process: "subprocess.Popen[str]") -> str:
    """The address of a server, once it is listening."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"ready at (http://\S+)", line):
            return found[1]
    raise AssertionError("the server does not start")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_server_restarts_while_programs_wait(
    serve: Callable[..., "subprocess.Popen[str]"],
    number: signal.Signals,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "assay.asking")
    server = serve("0")
    try:
        url = await asyncio.to_thread(ready, server)
        with Client(url) as blocking:
            async with AsyncClient(url) as client:
                asked = [
                    asyncio.create_task(
                        asyncio.to_thread(assay.approve, "A?", client=blocking, timeout=90)
                    ),
                    asyncio.create_task(assay.approve_async("B?", client=client, timeout=90)),
                ]
                while len([each async for each in client.requests.list(status="pending")]) < 2:
                    await asyncio.sleep(0.05)
                server.send_signal(number)
                await asyncio.to_thread(server.communicate, timeout=SECONDS)
                # Longer than a client tries again on its own.
                await asyncio.sleep(5)
                server = serve(url.rpartition(":")[2])
                await asyncio.to_thread(ready, server)
                async for each in client.requests.list(status="pending"):
                    await client.requests.respond(each.id, YES)
                assert [bool(answer) for answer in await asyncio.gather(*asked)] == [True, True]
    finally:
        server.kill()
        await asyncio.to_thread(server.communicate, timeout=SECONDS)
    waits = [record for record in caplog.records if "waiting at" in record.message]
    away = [record for record in caplog.records if "cannot look" in record.message]
    assert len(waits) == 2
    assert len(away) <= 2
    assert len(away) == 2 or number is signal.SIGTERM
