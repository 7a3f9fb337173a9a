"""The plugin of pytest, in a pytest of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SUITE = """
prompts: ["Say {{word}}"]
providers: [builtin/echo]
tests:
  - vars: {word: [hello, goodbye]}
    assert: [{type: icontains, value: hello}]
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str


@pytest.fixture
async def run_pytest(
    new_database_dsn: Callable[[], Any], tmp_path: Path
) -> Callable[[str], Outcome]:
    """Runs pytest on a test of this text, beside `suite.yaml`."""
    variables = {
        **os.environ,
        "DATABASE_URL": await new_database_dsn(),
        "ASSAY_HOME": str(tmp_path),
    }
    (tmp_path / "suite.yaml").write_text(SUITE)

    def run(text: str) -> Outcome:
        (tmp_path / "test_it.py").write_text(text)
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome(ended.returncode, ended.stdout + ended.stderr)

    return run


def test_a_gate_that_is_met_passes_also_inside_an_event_loop(
    run_pytest: Callable[[str], Outcome],
) -> None:
    ended = run_pytest(
        "import asyncio\n"
        "def test_plain(assay_eval):\n"
        "    evaluation = assay_eval('suite.yaml', name='nightly')\n"
        "    evaluation.require('pass_rate>=0.5', 'errors<=0')\n"
        "    assert evaluation.pass_rate == 0.5\n"
        "    assert not evaluation.passed\n"
        "def test_in_a_loop(assay_eval):\n"
        "    async def inside():\n"
        "        return assay_eval('suite.yaml')\n"
        "    asyncio.run(inside()).require('pass_rate>=0.5')\n"
    )
    assert ended.code == 0, ended.out
    assert "2 passed" in ended.out


def test_a_gate_that_is_missed_fails_with_the_reasons(
    run_pytest: Callable[[str], Outcome],
) -> None:
    ended = run_pytest(
        "def test_gate(assay_eval):\n"
        "    assay_eval('suite.yaml').require('pass_rate>=0.95')\n"
        "def test_all(assay_eval):\n"
        "    assay_eval('suite.yaml').require()\n"
    )
    assert ended.code == 1
    assert "pass_rate>=0.95 for prompt 1 v1 with builtin/echo: it is 0.5" in ended.out
    assert "not every cell passed" in ended.out
    assert "item 2 (word: goodbye)" in ended.out


def test_a_file_with_a_fault_is_an_error_of_the_test(
    run_pytest: Callable[[str], Outcome],
) -> None:
    ended = run_pytest("def test_it(assay_eval):\n    assay_eval('missing.yaml')\n")
    assert ended.code == 1
    assert "missing.yaml cannot be read: No such file or directory" in ended.out
