import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

Run = Callable[..., Any]
SUITE = """
prompts: ["{{word}} {% if word == 'w1' %}yes{% endif %}", "{{word}} yes"]
providers: [builtin/echo]
tests:
  - vars: {word: [w1, w2, w3, w4, w5, w6, w7, w8]}
    assert: [{type: contains, value: "yes"}]
"""


@pytest.fixture
def runs(assay: Run, query: Run, tmp_path: Path) -> list[str]:
    (tmp_path / "suite.yaml").write_text(SUITE)
    assert assay("eval", "suite.yaml", "--name", "both").code == 1
    return [str(row[0]) for row in query("SELECT id FROM playground.eval_runs ORDER BY id")]


def test_a_comparison_is_printed(assay: Run, runs: list[str]) -> None:
    ended = assay("compare", *runs)
    assert ended.code == 0, ended.err
    assert "Held against prompt 1 v1 (both)" in ended.out
    assert "12.5% → 100.0%" in ended.out
    assert "Better: 7 items got better and 0 worse, of 8 (p = 0.016)." in ended.out
    assert assay("compare", *reversed(runs)).out.count("Worse: 0 items got better and 7 worse") == 1


def test_a_comparison_for_programs(assay: Run, runs: list[str]) -> None:
    found = json.loads(assay("compare", *runs, "--json", "--model", "builtin/echo").out)
    [comparison] = found["comparisons"]
    assert comparison["verdict"] == "better"
    assert comparison["better"]["count"] == 7


def test_what_cannot_be_compared(assay: Run, runs: list[str]) -> None:
    for arguments, words in (
        (["last", runs[0]], '"last" is not the id of a run.'),
        ([runs[0]], "2 to 10 different runs"),
        ([runs[0], str(uuid4())], "There is no run"),
        ([*runs, "--model", "other"], "`other` is not in both runs"),
    ):
        ended = assay("compare", *arguments)
        assert ended.code == 2
        assert words in ended.err
