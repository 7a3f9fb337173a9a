"""Rows of CSV text that comes block by block, with the numbers of their lines."""

import csv
import io
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain, islice

from assay.core.errors import Invalid

MAX_ROW = 16 * 1024 * 1024
"""Characters of a row at most; so a quote that is never closed does not fill the memory."""

_SAMPLE_ROWS = 20

csv.field_size_limit(MAX_ROW)


class Delimiter(StrEnum):
    """What stands between the cells of a row."""

    comma = ","
    semicolon = ";"
    tab = "\t"
    pipe = "|"


class RowTooLong(Invalid):
    """A row is longer than this server takes."""


class Rows:
    """The rows of a text, one after the other; blank lines are left out.

    Attributes:
        line: the number of the line, from 1, at which the row that came last begins.
        fault: what is wrong with that row, such as a quote that is never closed; its cells are
            of no use then.
    """

    def __init__(self, blocks: Iterable[str], delimiter: Delimiter | None = None) -> None:
        """Read `blocks`; the delimiter is found from the first rows where none is given."""
        self.line = 1
        self.fault: str | None = None
        self._since_row = 0
        self._skipped = 0
        lines = self._lines(blocks)
        sample: list[str] = []
        if delimiter is None:
            sample = list(islice(lines, _SAMPLE_ROWS))
            delimiter = self._take_declaration(sample) or find_delimiter(sample)
        self.delimiter = delimiter
        self._reader = csv.reader(chain(sample, lines), delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[list[str]]:
        """Read on."""
        reader = self._reader
        while True:
            self.line = reader.line_num + 1 + self._skipped
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.fault = _said(error)
                yield []
                self.fault = None
            else:
                if row:
                    yield row
            self._since_row = 0

    def _take_declaration(self, sample: list[str]) -> Delimiter | None:
        """The delimiter of a first line `sep=;`, which spreadsheets write, and take."""
        first = sample[0].rstrip("\r\n") if sample else ""
        if len(first) == len("sep=,") and first.lower().startswith("sep="):
            for delimiter in Delimiter:
                if first[-1] == delimiter:
                    del sample[0]
                    self._skipped = 1
                    return delimiter
        return None

    def _lines(self, blocks: Iterable[str]) -> Iterator[str]:
        return chain.from_iterable(
            io.StringIO(whole, newline="") for whole in self._whole_lines(blocks)
        )

    def _whole_lines(self, blocks: Iterable[str]) -> Iterator[str]:
        """The text in pieces that end with a line."""
        rest = ""
        for block in blocks:
            text = rest + block
            self._since_row += len(block)
            if self._since_row > MAX_ROW + len(block):
                raise RowTooLong(
                    f"A row from line {self.line:,} on has more than {MAX_ROW:,} characters; "
                    "is a quote never closed?"
                )
            end = text.rfind("\n") + 1 or text.rfind("\r", 0, -1) + 1
            if end:
                yield text[:end]
            rest = text[end:]
        if rest:
            yield rest


def find_delimiter(lines: Iterable[str]) -> Delimiter:
    """The delimiter of rows: the one that cuts most of them alike, into the most cells."""
    sample = list(lines)

    def merit(delimiter: Delimiter) -> tuple[float, int]:
        try:
            rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            return 0.0, 0
        width = len(rows[0]) if rows else 0
        if width < 2:
            return 0.0, width
        # The last one may go on behind the sample.
        whole = rows[:-1] if len(rows) > 2 else rows
        return sum(len(row) == width for row in whole) / len(whole), width

    return max(Delimiter, key=merit)


def _said(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote is opened and never closed"
    if "expected after" in str(error):
        return "text follows a closing quote; inside of quotes, write a quote twice"
    return str(error)
