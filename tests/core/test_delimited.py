"""Rows of CSV with their lines, from text in pieces."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core import delimited
from assay.core.delimited import Delimiter, Rows, RowTooLong, find_delimiter


def read(text: str, delimiter: Delimiter | None = None) -> list[tuple[int, list[str], str | None]]:
    rows = Rows([text], delimiter)
    return [(rows.line, row, rows.fault) for row in rows]


def test_rows_know_the_lines_they_begin_in() -> None:
    assert read('a,b\n\n"x\ny",2\r\n\r\nz,3') == [
        (1, ["a", "b"], None),
        (3, ["x\ny", "2"], None),
        (6, ["z", "3"], None),
    ]


def test_a_faulty_row_does_not_end_the_reading() -> None:
    rows = read('a,b\n"x"y,1\nfine,2\n"open,3\n', Delimiter.comma)
    assert [(line, fault) for line, _, fault in rows if fault] == [
        (2, "text follows a closing quote; inside of quotes, write a quote twice"),
        (4, "a quote is opened and never closed"),
    ]
    assert (3, ["fine", "2"], None) in rows


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2\n", ";"),
        ("a\tb c\n1\t2\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("a,b;c\nx,y,z;1\nx;1\n", ";"),
        ("only\nx\n", ","),
        ('"a;b","c;d"\n1,2\n', ","),
        ("", ","),
    ],
)
def test_the_delimiter_that_cuts_rows_alike(text: str, delimiter: str) -> None:
    assert find_delimiter(io.StringIO(text, newline="")) == delimiter


def test_a_declaration_wins_and_is_no_row() -> None:
    assert read("sep=|\r\na,b|c\n1,2|3") == [(2, ["a,b", "c"], None), (3, ["1,2", "3"], None)]
    assert read("sep=,x\n1,2")[0] == (1, ["sep=", "x"], None)


def test_a_row_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_ROW", 100)
    rows = Rows((part for part in ["a,b\n", *(["x" * 30] * 10)]), Delimiter.comma)
    with pytest.raises(RowTooLong):
        list(rows)
    many = Rows((part for part in ["a,b\n", *(["x,y\n"] * 1000)]), Delimiter.comma)
    assert len(list(many)) == 1001


CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=2)


@given(
    rows=st.lists(CELLS, max_size=6),
    delimiter=st.sampled_from(list(Delimiter)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    size=st.integers(1, 7),
)
def test_what_is_written_is_read(
    rows: list[list[str]], delimiter: Delimiter, end: str, size: int
) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        rows
    )
    text = written.getvalue()
    blocks = [text[i : i + size] for i in range(0, len(text), size)]
    assert list(Rows(blocks, delimiter)) == rows
