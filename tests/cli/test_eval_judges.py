"""Evaluation files with assertions that ask a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

SUITE = """
prompts: ["{{word}} is on its way back."]
providers: [builtin/echo]
defaultTest:
  assert: [{type: similar, value: Your money comes back., threshold: 0.5}]
tests:
  - vars: {word: Your money}
  - vars: {word: A cat}
"""
JUDGE = "defaultTest:\n  options: {provider: {embedding: builtin/wordllama}}"


def test_a_file_that_names_a_judge_is_graded(assay: Run, dsn: str, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE.replace("defaultTest:", JUDGE))
    ended = assay("eval", "suite.yaml")
    assert ended.code == 1, ended.err
    assert "1 of 2 cells passed." in ended.out
    assert 'similar: To "Your money comes back." the similarity is 0.' in ended.out


def test_a_file_without_a_judge_is_refused(assay: Run, dsn: str, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    ended = assay("eval", "suite.yaml")
    assert ended.code == 2
    told = " ".join(ended.err.split())
    assert "similar needs a model that makes embeddings" in told
    assert "defaultTest.options.provider.embedding" in told
