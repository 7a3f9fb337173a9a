import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.playground.promptfoo.document import parse_json, parse_yaml, read_document
from assay.playground.promptfoo.suite import SuiteFault

# YAML takes no control characters, and folds some of the separators.
TEXT = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53), max_value=2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("~", None),
        ("", None),
        ("null", None),
        ("'5'", "5"),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert parse_yaml(text) == value
    assert type(parse_yaml(text)) is type(value)


@given(JSON)
def test_json_comes_back_from_both(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_yaml(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\nb: [1, 2\nc: 3", "line 3, column 2: while parsing a flow sequence"),
        ("a: 1\n  b: 2", "line 2, column 4: mapping values are not allowed"),
        ("a: 1\nb: 2\na: 3", 'line 3, column 1: the key "a" is there twice'),
        ("x:\n  - {p: 1, p: 2}", 'line 2, column 12: the key "p" is there twice'),
        ("1: one", "line 1, column 1: a key has to be text: put quotes around 1"),
        ("a: 1\n---\nb: 2", "line 2, column 1: expected a single document"),
        ("a: !!python/object:os.system x", "line 1, column 4"),
        ("a: *missing", "line 1, column 4"),
        ("a: &a [*a]", "nested more than 100 levels"),
        ("a:\n  b: .inf", "a.b: Numbers must be finite"),
        ("a: [99999999999999999999]", "a[0]: Integers must fit into 64 bits"),
        ('a: "\\0"', "a: Text must not contain the NUL character"),
        ("a: !!binary aGk=", "a: bytes is not a JSON type"),
        ("\x07", "characters are not allowed"),
        ("[" * 100_000, "line 1, column 101: it is nested more than 100 levels deep"),
        ("- " * 100_000, "it is nested more than 100 levels deep"),
    ],
)
def test_yaml_faults_have_a_place(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1,\n "b" 2}', "line 2, column 6: Expecting ':' delimiter"),
        ('{"a": {"b": 1, "b": 2}}', 'the key "b" is there twice'),
        ('{"a": NaN}', "a: Numbers must be finite"),
        ("[" * 100_000, "it is nested more than 100 levels deep"),
        ("[" * 200 + "]" * 200, "the file: JSON must not be nested more than 100 levels deep"),
    ],
)
def test_json_faults_have_a_place(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        parse_json(text)


def test_a_file_is_named_in_its_fault(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    with pytest.raises(SuiteFault, match=r"suite\.yaml cannot be read: No such file"):
        read_document(path)
    path.write_bytes(b"a: \xff")
    with pytest.raises(SuiteFault, match="not text in UTF-8: byte 3"):
        read_document(path)
    with pytest.raises(SuiteFault, match="Is a directory"):
        read_document(tmp_path)


def test_a_json_file_may_be_indented_with_tabs(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    path.write_text('{\n\t"a": 1\n}')
    assert read_document(path) == {"a": 1}
