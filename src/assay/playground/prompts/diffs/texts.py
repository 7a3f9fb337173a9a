"""Differences between two texts, by lines and by words, in bounded time.

The longest common subsequence comes from rapidfuzz, whose time is at most the product of both
lengths over 64. difflib's is their cube at worst, which users could bring about.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from rapidfuzz.distance import LCSseq

# Steps of a comparison of words, for all that one object compares: about a second.
_BUDGET = 1_000_000_000
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")

Opcode = tuple[str, int, int, int, int]
"""`equal`, `replace`, `delete` or `insert`, with the ends in both sequences, as in difflib."""


Op = Literal["equal", "insert", "delete"]


class Piece(NamedTuple):
    """A piece of text that is in both, or was put in or taken out."""

    op: Op
    text: str


class _Matcher(SequenceMatcher[str]):
    """difflib's grouping of opcodes, over opcodes from elsewhere."""

    def __init__(self, opcodes: list[Opcode]) -> None:
        super().__init__()
        self._given = opcodes

    def get_opcodes(self) -> list[Opcode]:  # type: ignore[override]  # typeshed narrows the name
        return self._given


def find_opcodes(before: Sequence[object], after: Sequence[object]) -> list[Opcode]:
    """How to come from one sequence to the other, keeping as much as can be."""
    merged: list[Opcode] = []
    for found in LCSseq.opcodes(before, after):
        a1, a2, b1, b2 = found.src_start, found.src_end, found.dest_start, found.dest_end
        if found.tag == "equal":
            merged.append(("equal", a1, a2, b1, b2))
            continue
        if merged and merged[-1][0] != "equal":
            _, a1, _, b1, _ = merged.pop()
        merged.append(_changed(a1, a2, b1, b2))
    return merged


def _changed(a1: int, a2: int, b1: int, b2: int) -> Opcode:
    tag = "replace" if a2 > a1 and b2 > b1 else "delete" if a2 > a1 else "insert"
    return tag, a1, a2, b1, b2


def split_lines(text: str) -> list[str]:
    """The lines of a text with their ends."""
    return _LINE.findall(text)


class TextComparison:
    """Two texts, held against each other line by line."""

    def __init__(self, before: str, after: str) -> None:
        """Find what changed."""
        self._before, self._after = split_lines(before), split_lines(after)
        self._opcodes = find_opcodes(self._before, self._after)

    def unified(self) -> str:
        """The unified diff with three lines around each change; empty where nothing changed."""
        return "".join(
            line
            for group in _Matcher(self._opcodes).get_grouped_opcodes(3)
            if any(opcode[0] != "equal" for opcode in group)
            for line in self._hunk(group)
        )

    def _hunk(self, group: Sequence[Opcode]) -> Iterator[str]:
        before = _range(group[0][1], group[-1][2])
        after = _range(group[0][3], group[-1][4])
        yield f"@@ -{before} +{after} @@\n"
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                yield from (_marked(" ", line) for line in self._before[a1:a2])
                continue
            yield from (_marked("-", line) for line in self._before[a1:a2])
            yield from (_marked("+", line) for line in self._after[b1:b2])

    def words(self, budget: "WordBudget") -> list[Piece]:
        """The whole text in pieces that stayed, were taken out, or put in, word by word.

        Changed lines with more words than the budget has room for are taken out and put in whole.
        """
        pieces: list[Piece] = []
        for tag, a1, a2, b1, b2 in self._opcodes:
            before, after = "".join(self._before[a1:a2]), "".join(self._after[b1:b2])
            if tag == "equal":
                pieces.append(Piece("equal", before))
            else:
                pieces += budget.compare(before, after)
        return _joined(pieces)


class WordBudget:
    """Compares texts word by word for as long as its budget of steps lasts."""

    def __init__(self, steps: int = _BUDGET) -> None:
        """Take the budget."""
        self._left = steps

    def compare(self, before: str, after: str) -> list[Piece]:
        """The pieces of two texts."""
        words_before, words_after = _WORD.findall(before), _WORD.findall(after)
        steps = len(words_before) * len(words_after)
        if steps > self._left:
            return [Piece("delete", before), Piece("insert", after)]
        self._left -= steps
        pieces = []
        for tag, a1, a2, b1, b2 in find_opcodes(words_before, words_after):
            if tag == "equal":
                pieces.append(Piece("equal", "".join(words_before[a1:a2])))
            else:
                pieces.append(Piece("delete", "".join(words_before[a1:a2])))
                pieces.append(Piece("insert", "".join(words_after[b1:b2])))
        return pieces


def _range(start: int, end: int) -> str:
    """A range of lines as unified diffs write it: from 1, with the length where it is not 1."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _marked(sign: str, line: str) -> str:
    return sign + (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces with neighbours joined; a space alone between two changes is part of the change."""
    joined: list[Piece] = []
    taken, put = "", ""
    for place, (op, text) in enumerate(pieces):
        if op == "delete":
            taken += text
        elif op == "insert":
            put += text
        elif (taken or put) and _is_gap(text) and place + 1 < len(pieces):
            taken, put = taken + text, put + text
        elif text:
            joined += _change(taken, put)
            taken, put = "", ""
            if joined and joined[-1].op == "equal":
                text = joined.pop().text + text  # noqa: PLW2901  # the piece grows
            joined.append(Piece("equal", text))
    return joined + _change(taken, put)


def _is_gap(text: str) -> bool:
    return text.isspace() and "\n" not in text


def _change(taken: str, put: str) -> list[Piece]:
    return [piece for piece in (Piece("delete", taken), Piece("insert", put)) if piece.text]
