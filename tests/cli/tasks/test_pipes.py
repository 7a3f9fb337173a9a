"""`assay task` where what reads its output has ended."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.agents.git.repositories import Origin
from tests.agents.tasks.end_to_end.board import call, finish

from assay.testing.scripted_model import ScriptedModelServer


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_task_whose_output_nobody_reads_any_more_is_cancelled(
    query: Callable[..., Any], model: ScriptedModelServer, origin: Origin, options: list[str]
) -> None:
    model.turns = [call("run_command", command="echo started; sleep 300"), finish()]
    command = [sys.executable, "-m", "assay.cli.main", "task", "run", "--title", "Say goodbye"]
    command += ["--model", "scripted/coder", "--repo", str(origin.path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr is not None
            said = process.stderr.read().decode()
            assert process.wait(60) == 130, said
        finally:
            process.kill()
    assert "Traceback" not in said
    assert query("SELECT status FROM agents.tasks") == [("cancelled",)]
    assert query("SELECT count(*) FROM agents.sandboxes WHERE status <> 'destroyed'") == [(0,)]
