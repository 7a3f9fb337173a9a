"""Tests in CSV files, as promptfoo reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.playground.promptfoo.expected import assertion_of
from assay.playground.promptfoo.reader import read_suite
from assay.playground.promptfoo.suite import Suite


@pytest.mark.parametrize(
    ("cell", "assertion"),
    [
        ("delivery", {"type": "equals", "value": "delivery"}),
        ("  delivery ", {"type": "equals", "value": "delivery"}),
        ("note: delivery", {"type": "equals", "value": "note: delivery"}),
        ("contains: a, b", {"type": "contains", "value": "a, b"}),
        ("not-contains:x", {"type": "not-contains", "value": "x"}),
        ("contains-any: a, b ,,c", {"type": "contains-any", "value": ["a", "b", "c"]}),
        (
            'icontains-all: "Hello, World", it is',
            {"type": "icontains-all", "value": ["Hello, World", "it is"]},
        ),
        ("is-json", {"type": "is-json"}),
        (
            'contains-json: {"type": "object"}',
            {"type": "contains-json", "value": '{"type": "object"}'},
        ),
        ("similar: a fruit", {"type": "similar", "value": "a fruit", "threshold": 0.8}),
        ("similar(0.6): a fruit", {"type": "similar", "value": "a fruit", "threshold": 0.6}),
        ("levenshtein(3): word", {"type": "levenshtein", "value": "word", "threshold": 3.0}),
        ("cost(0.01)", {"type": "cost", "threshold": 0.01}),
        ("latency(500):", {"type": "latency", "threshold": 500.0}),
        ("starts-with: Dear", {"type": "starts-with", "value": "Dear"}),
        ("regex: a\nb", {"type": "regex", "value": "a\nb"}),
        ("grade: is polite", {"type": "llm-rubric", "value": "is polite"}),
        ("fn: output.length", {"type": "javascript", "value": "output.length"}),
        ("python: len(output)", {"type": "python", "value": "len(output)"}),
        ("file://check.py:grade", {"type": "python", "value": "file://check.py:grade"}),
        ("file://check.mjs", {"type": "javascript", "value": "file://check.mjs"}),
        ("equals", {"type": "equals"}),
    ],
)
def test_the_short_way_to_write_an_assertion(cell: str, assertion: dict[str, Any]) -> None:
    assert assertion_of(cell) == assertion


TABLE = """word,__expected1,__expected2,__description,__metric,__threshold,\
__metadata:a,__metadata:b[],__config:__expected2:threshold,__prefix
hi,contains: hi,levenshtein: hi,greets,manner,0.5,x,"1, 2\\,3",4,Say:
bye,bye,,,,,,,,
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text('prompts: ["Say {{word}}"]\nproviders: [echo]\ntests: tests.csv')
    (tmp_path / "tests.csv").write_text(TABLE)
    return read_suite(path, leave_out=True)


def test_the_special_columns(suite: Suite) -> None:
    first, second = suite.tests
    assert first.place == "tests.csv:2"
    assert first.variables == {"word": "hi"}
    assert first.description == "greets"
    assert first.metadata == {"a": "x", "b": ["1", "2,3"]}
    assert first.assertions == [
        {
            "type": "assert-set",
            "threshold": 0.5,
            "assert": [
                {"type": "contains", "value": "hi", "metric": "manner"},
                {"type": "levenshtein", "value": "hi", "threshold": 4.0, "metric": "manner"},
            ],
        }
    ]
    assert second.assertions == [{"type": "equals", "value": "bye"}]
    assert (second.description, second.metadata) == (None, {})
    assert {fault.place for fault in suite.left_out} == {"tests.csv:__prefix"}


def test_what_is_wrong_in_a_table_has_its_line(
    faults: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        'word;__expected;__threshold\n"two\nlines";"contains: a";x\nmore\nhi;javascript: 1;\n'
        'hi;regex: [;\nhi;"a"b;\n'
    )
    (tmp_path / "empty.csv").write_text("\n")
    found = faults("tests: [file://a.csv, file://empty.csv]")
    assert found.keys() - {""} == {
        "a.csv:2.__threshold",
        "a.csv:4",
        "a.csv:5.assert[0].type",
        "a.csv:6.assert[0].value",
        "a.csv:7",
        "empty.csv",
    }
