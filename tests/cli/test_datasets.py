"""`assay datasets`: items from files and back, without a server."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

Run = Callable[..., Any]
Query = Callable[..., list[Any]]
ITEMS = """
    SELECT input ->> 'message', expected_output #>> '{}' FROM playground.dataset_items ORDER BY id
"""
FILE = "question;answer\nWhere is it?;delivery\nMy money;refund\n"
MAP = '{"question": "input.message", "answer": "expected_output"}'


@pytest.fixture
def use_case(assay: Run, dsn: str, tmp_path: Path, query: Query) -> str:
    """A use case, made by another command."""
    assert dsn
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text('prompts: ["{{message}}"]\nproviders: [echo]\ntests: [{vars: {message: x}}]')
    assert assay("import", path).code == 0
    query("DELETE FROM playground.datasets")
    [(id_,)] = query("SELECT id FROM playground.use_cases")
    return str(id_)


def test_a_file_becomes_a_dataset_and_grows_it(
    assay: Run, use_case: str, tmp_path: Path, query: Query
) -> None:
    file = tmp_path / "faq.csv"
    file.write_text(FILE)
    ended = assay("datasets", "import", file, "--use-case", use_case, "--map", MAP)
    assert ended.code == 0, ended.err
    assert "2 items imported; the dataset is at version 1." in ended.err
    dataset = ended.out.strip()
    assert query("SELECT id::text, name FROM playground.datasets") == [(dataset, "faq")]
    assert query(ITEMS) == [("Where is it?", "delivery"), ("My money", "refund")]
    lines = tmp_path / "more.jsonl"
    lines.write_text('{"input": {"message": "Again"}}\n')
    ended = assay("datasets", "import", lines, "--dataset", dataset)
    assert "1 items imported; the dataset is at version 2." in ended.err
    audit = "SELECT details -> 'version' FROM identity.audit_log WHERE action = 'dataset.imported'"
    assert sorted(query(audit)) == [("1",), ("2",)]


def test_refused_rows_are_told_and_stop_all_but_a_partial_import(
    assay: Run, use_case: str, tmp_path: Path, query: Query
) -> None:
    file = tmp_path / "faq.csv"
    file.write_text(FILE + "too;many;cells\n")
    arguments = ("datasets", "import", file, "--use-case", use_case, "--name", "FAQ")
    ended = assay(*arguments)
    assert ended.code == 1
    assert "A row does not fit, so nothing was imported; 2 would." in ended.err
    assert "line 4: The row has 3 cells, and the header 2" in ended.err
    assert query("SELECT count(*) FROM playground.datasets") == [(0,)]
    ended = assay(*arguments, "--partial")
    assert ended.code == 1
    assert "2 items imported, 1 rows refused; the dataset is at version 1." in ended.err
    assert query("SELECT name FROM playground.datasets") == [("FAQ",)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.csv", "--dataset", uuid4()), "missing.csv cannot be read: No such file"),
        (("faq.txt", "--dataset", uuid4()), "say what it is with --format"),
        (("faq.csv",), "Give either --dataset, or --use-case"),
        (("faq.csv", "--dataset", uuid4(), "--use-case", uuid4()), "Give either --dataset"),
        (("faq.csv", "--dataset", uuid4(), "--name", "x"), "--name is for a new dataset"),
        (("faq.csv", "--dataset", uuid4()), "There is no dataset with this id."),
        (("faq.csv", "--use-case", uuid4()), "There is no use case with this id."),
        (
            ("faq.csv", "--dataset", uuid4(), "--map", '{"a": "b"}'),
            "--map.a: A column cannot go",
        ),
        (("faq.csv", "--dataset", uuid4(), "--map", "{"), "--map: Not valid JSON"),
        (("faq.csv", "--dataset", "1"), "Invalid value for '--dataset'"),
        (("faq.csv", "--dataset", uuid4(), "--delimiter", "x"), "delimiter"),
    ],
)
def test_what_cannot_be_done_is_2(
    assay: Run, dsn: str, tmp_path: Path, arguments: tuple[Any, ...], said: str
) -> None:
    assert dsn
    (tmp_path / "faq.csv").write_text(FILE)
    ended = assay("datasets", "import", *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


def test_standard_input_and_output(
    assay: Run, use_case: str, query: Query, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILE.encode("utf-16"))))
    ended = assay(
        *("datasets", "import", "-", "--format", "csv", "--use-case", use_case, "--name", "N"),
        *("--encoding", "utf-16", "--delimiter", "semicolon"),
    )
    assert ended.code == 0, ended.err
    dataset = ended.out.strip()
    ended = assay("datasets", "export", "--dataset", dataset)
    assert ended.code == 0
    assert ended.out == '"answer","question"\n"delivery","Where is it?"\n"refund","My money"\n'
    target = tmp_path / "items.jsonl"
    assert assay("datasets", "export", "--dataset", dataset, "--output", target).code == 0
    assert len(target.read_text().splitlines()) == 2
    query("UPDATE playground.dataset_items SET deleted_in = 2")
    query("UPDATE playground.datasets SET version = 2")
    assert assay("datasets", "export", "--dataset", dataset).out.count("\n") == 1
    ended = assay("datasets", "export", "--dataset", dataset, "--version", "1")
    assert ended.out.count("\n") == 3
    assert assay("datasets", "export", "--dataset", dataset, "--version", "3").code == 2
    assert assay("datasets", "export", "--dataset", uuid4()).code == 2
    assert assay("datasets", "export", "--dataset", dataset, "--output", tmp_path).code == 2
