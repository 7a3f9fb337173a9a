from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
CONFIGURATION = """
description: Sorting messages
prompts: [file://prompts/*.txt, exec:make.sh]
providers: [openai:chat:gpt-6-luna]
tests: file://tests.yaml
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    for name in ("long", "short"):
        (tmp_path / f"prompts/{name}.txt").write_text(f"{name}: {{{{message}}}}")
    (tmp_path / "tests.yaml").write_text(
        "- vars: {message: [one, two]}\n"
        "  assert: [{type: equals, value: a}, {type: javascript, value: x}]"
    )
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(CONFIGURATION)
    return path


def test_a_configuration_becomes_a_use_case(
    assay: Run, dsn: str, file: Path, query: Callable[..., list[Any]]
) -> None:
    assert dsn
    ended = assay("import", file, "--project", "Support")
    assert ended.code == 0
    assert "Support / Sorting messages" in ended.out
    assert "2 items in dataset" in ended.out
    assert "prompts[1]: Code and other systems are not called" in ended.err
    assert "tests.yaml[0].assert[1].type: Code in assertions is not run" in ended.err
    assert query("SELECT name FROM playground.projects") == [("Support",)]
    assert query("SELECT name FROM playground.prompts ORDER BY name") == [
        ("prompts/long.txt",),
        ("prompts/short.txt",),
    ]
    assert query("SELECT count(*) FROM playground.dataset_items") == [(2,)]
    assert assay("import", file, "--project", "Support", "--name", "Again").code == 0
    assert query("SELECT count(*) FROM playground.projects") == [(1,)]
    assert query("SELECT count(*) FROM playground.use_cases") == [(2,)]


def test_what_is_wrong_is_refused_and_nothing_is_made(
    assay: Run, dsn: str, file: Path, query: Callable[..., list[Any]]
) -> None:
    assert dsn
    file.write_text(CONFIGURATION.replace("tests.yaml", "missing.yaml"))
    ended = assay("import", file)
    assert ended.code == 2
    assert "tests: " in ended.err
    assert "No such file" in ended.err
    assert query("SELECT count(*) FROM playground.projects") == [(0,)]
