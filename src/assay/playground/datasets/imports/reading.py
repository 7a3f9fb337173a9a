"""A file from its bytes to rows for the database, in one pass that needs little memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from uuid import UUID

from assay.core.decoding import Encoding, begins_as_utf_8, decoded
from assay.core.delimited import Delimiter, Rows
from assay.core.errors import Invalid
from assay.playground.datasets.imports.checking import Checker
from assay.playground.datasets.imports.draft import Draft, RowFault
from assay.playground.datasets.imports.packing import HEAD, TAIL, Packer
from assay.playground.datasets.imports.records import Records, lines_of
from assay.playground.datasets.imports.schemas import FileFormat, LeftOutColumn, Refusal
from assay.playground.datasets.imports.table import Table
from assay.playground.datasets.imports.targets import ColumnMapping

MAX_REFUSALS = 100
# Rows are handed on in pieces of about so many bytes.
PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileForm:
    """How a file is to be read; `None` where that is to be found."""

    format: FileFormat
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    mapping: ColumnMapping = field(default_factory=dict)
    partial: bool = False


class Reading:
    """One file, read row by row in a thread; what it has come to can be looked at meanwhile.

    Attributes:
        items: rows that are items.
        refused: rows that are not.
        refusals: what is wrong with the first of these.
        left_out: columns that are not carried over.
        bytes: of the file, read so far.
    """

    def __init__(self, form: FileForm, checker: Checker, dataset_id: UUID, version: int) -> None:
        """Read a file of this form into a version of a dataset."""
        self._form = form
        self._checker = checker
        self._packer = Packer(dataset_id, version)
        self.items = 0
        self.refused = 0
        self.refusals: list[Refusal] = []
        self.left_out: list[LeftOutColumn] = []
        self.bytes = 0

    @property
    def failed(self) -> bool:
        """Whether nothing of the file is to be kept."""
        return self.refused > 0 and not self._form.partial

    def packed(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """What COPY takes for the file in `blocks`; nothing more once it has failed.

        Raises:
            Invalid: the file cannot be read at all.
        """
        counted = self._counted(blocks)
        is_csv = self._form.format is FileFormat.csv
        rows = self._of_table(counted) if is_csv else self._of_records(counted)
        pack = self._packer.pack
        made = bytearray(HEAD)
        for draft in rows:
            made += pack(draft)
            if len(made) > PIECE:
                if not self.failed:
                    yield bytes(made)
                made.clear()
        if not self.failed:
            yield bytes(made) + TAIL

    def _counted(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.bytes += len(block)
            yield block

    def _of_table(self, blocks: Iterable[bytes]) -> Iterator[Draft]:
        has_nul = False

        def watched() -> Iterator[str]:
            nonlocal has_nul
            for text in decoded(blocks, self._form.encoding):
                has_nul = has_nul or "\0" in text
                yield text

        rows = Rows(watched(), self._form.delimiter)
        table: Table | None = None
        check = self._checker.check
        for row in rows:
            try:
                if rows.fault is not None:
                    raise RowFault(rows.fault)
                if table is None:
                    table = self._table(row)
                    continue
                draft = check(table.draft(row), careful=has_nul)
            except RowFault as fault:
                self._refuse(rows.line, fault)
            else:
                self.items += 1
                yield draft
        if table is None:
            raise Invalid("The file is empty: it needs a first row with the names of the columns.")

    def _table(self, header: list[str]) -> Table:
        table = Table(header, self._form.mapping)
        self.left_out = [LeftOutColumn(column=c, reason=r) for c, r in table.left_out]
        return table

    def _of_records(self, blocks: Iterable[bytes]) -> Iterator[Draft]:
        records = Records(self._form.mapping)
        check, draft_of = self._checker.check, records.draft
        number = 0
        for lines, suspicious in lines_of(_in_utf_8(blocks, self._form.encoding)):
            for line in lines:
                number += 1
                if not line or line.isspace():
                    continue
                try:
                    draft = check(draft_of(line, suspicious=suspicious), careful=False)
                except RowFault as fault:
                    self._refuse(number, fault)
                else:
                    self.items += 1
                    yield draft

    def _refuse(self, line: int, fault: RowFault) -> None:
        self.refused += 1
        for each in fault.faults[: MAX_REFUSALS - len(self.refusals)]:
            self.refusals.append(Refusal(line=line, place=each.place, message=each.message))


def _in_utf_8(blocks: Iterable[bytes], encoding: Encoding | None) -> Iterable[bytes]:
    """JSON Lines are UTF-8 and then taken as they are, unless it is said or marked otherwise."""
    start = iter(blocks)
    first = next(start, b"")
    whole = chain([first], start)
    if encoding in (None, Encoding.utf_8) and begins_as_utf_8(first):
        return whole
    return (text.encode() for text in decoded(whole, encoding))
