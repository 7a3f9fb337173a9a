"""`assay eval` with a file that asks people."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.playground.runs.waiting.answering import approve_all

from assay.core.database import Database

Run = Callable[..., Any]
WAITING = "SELECT waiting, shards_left, status FROM playground.eval_runs"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "asking.yaml"
    path.write_text(
        """
        prompts: ["Say {{word}}"]
        providers: [builtin/echo]
        defaultTest: {assert: [{type: human, value: "Is {{output}} kind?"}]}
        tests: [{vars: {word: hello}}, {vars: {word: goodbye}}]
        """
    )
    return path


def approve(dsn: str) -> None:
    async def answer() -> None:
        database = Database(dsn)
        await approve_all(database)
        await database.dispose()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(answer())


def test_it_waits_for_people_and_leaves_the_run_to_them(
    spawn: Run, query: Run, dsn: str, suite: Path
) -> None:
    with spawn("eval", suite.name) as command:
        command.wait_for("People are asked about some answers")
        while query(WAITING) != [(2, 0, "running")]:
            assert command.process.poll() is None
        ended = command.end(signal.SIGINT)
    assert ended.code == 130
    assert "2 cells wait for people" in ended.err
    assert "--resume last" in ended.err
    assert query(WAITING) == [(2, 0, "running")]
    with spawn("eval", suite.name, "--resume", "last") as command:
        command.wait_for("2 wait for people")
        approve(dsn)
        ended = command.wait()
    assert ended.code == 0, ended.err
    assert "2 of 2 cells passed." in ended.out
    assert query(WAITING) == [(0, 0, "completed")]
