import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.cli.suite_runs import start_runs
from assay.core.config import Settings
from assay.core.database import Database
from assay.gateway.service import Gateway
from assay.playground.promptfoo.reader import read_suite

Run = Callable[..., Any]


async def order(dsn: str, path: Path) -> None:
    database = Database(dsn)
    async with Gateway(Settings(_env_file=None)) as gateway:
        await start_runs(database, gateway, path, read_suite(path), name=None, concurrency=None)
    await database.dispose()


def test_it_works_off_what_others_ordered(spawn: Run, query: Run, dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("prompts: ['{{word}}']\nproviders: [echo]\ntests: [{vars: {word: [a, b]}}]")
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(order(dsn, path))
    with spawn("worker") as command:
        command.wait_for("Working on jobs in the database")
        while query("SELECT status FROM playground.eval_runs") != [("completed",)]:
            assert command.process.poll() is None
        ended = command.end(signal.SIGTERM)
    assert ended.code == 0
    assert "jobs that are not done are handed back" in ended.err
