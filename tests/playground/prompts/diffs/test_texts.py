"""Differences of texts: nothing is lost, the diff applies, and time is bounded."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assay.playground.prompts.diffs.texts import TextComparison, WordBudget

texts = st.text(alphabet="ab \n\r.ä\u2028", max_size=60)


def words(before: str, after: str) -> list[tuple[str, str]]:
    return [(piece.op, piece.text) for piece in TextComparison(before, after).words(WordBudget())]


def patched(before: str, unified: str) -> str:
    """What a unified diff makes of a text, done as patch(1) does it."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", before)
    result, taken = [], 0
    marked = re.findall(r"[^\n]*\n|[^\n]+", unified)
    for number, line in enumerate(marked):
        if found := re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@\n", line):
            start = int(found[1]) - (0 if found[2] == "0" else 1)
            result += lines[taken:start]
            taken = start
        elif line.startswith("\\"):
            continue
        else:
            follows = marked[number + 1] if number + 1 < len(marked) else ""
            text = line[1:].removesuffix("\n") if follows.startswith("\\") else line[1:]
            if line[0] != "+":
                assert lines[taken] == text
                taken += 1
            if line[0] != "-":
                result.append(text)
    return "".join(result + lines[taken:])


@given(texts, texts)
def test_pieces_make_both_texts(before: str, after: str) -> None:
    pieces = words(before, after)
    assert "".join(text for op, text in pieces if op != "insert") == before
    assert "".join(text for op, text in pieces if op != "delete") == after
    assert all(text for _, text in pieces)
    assert all(one[0] != two[0] for one, two in pairwise(pieces))


@given(texts, texts)
def test_the_unified_diff_makes_the_second_text_of_the_first(before: str, after: str) -> None:
    unified = TextComparison(before, after).unified()
    assert patched(before, unified) == after
    assert (unified == "") == (before == after)


def test_words_that_changed() -> None:
    assert words("Sort this message.", "Sort that message!") == [
        ("equal", "Sort "),
        ("delete", "this"),
        ("insert", "that"),
        ("equal", " message"),
        ("delete", "."),
        ("insert", "!"),
    ]
    # A space alone between two changes does not break them up.
    assert words("one two three", "four five three") == [
        ("delete", "one two"),
        ("insert", "four five"),
        ("equal", " three"),
    ]


def test_a_unified_diff() -> None:
    lines = [f"line {number}\n" for number in range(12)]
    before, after = "".join(lines) + "end", "".join([*lines[:5], "new\n", *lines[6:]]) + "end\n"
    assert TextComparison(before, after).unified() == (
        "@@ -3,11 +3,11 @@\n line 2\n line 3\n line 4\n-line 5\n+new\n line 6\n line 7\n line 8\n"
        " line 9\n line 10\n line 11\n-end\n\\ No newline at end of file\n+end\n"
    )
    assert TextComparison("", "a\n").unified() == "@@ -0,0 +1 @@\n+a\n"


def test_the_largest_texts_are_done_in_time() -> None:
    one, two = "a b " * 125_000, "b c " * 125_000
    assert words(one, two) == [("delete", one), ("insert", two)]
    lines_before, lines_after = "a\nb\n" * 10_000, "b\nc\n" * 10_000
    assert TextComparison(lines_before, lines_after).unified().count("\n+") == 10_000
