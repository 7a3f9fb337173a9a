"""The rows of a CSV file as drafts of items."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from assay.core.errors import FieldFault
from assay.playground.datasets.imports.draft import Draft, Fields, RowFault, put, put_special
from assay.playground.datasets.imports.strict_json import checked_json
from assay.playground.datasets.imports.targets import (
    OWN,
    ColumnMapping,
    MappingFault,
    Target,
    goes_to,
    target_of,
)
from assay.playground.promptfoo.tables import TableColumns

Row = Sequence[str]

_EXPECTED = Target("expected_output", None, is_json=False)


class Table:
    """The columns of a file, compiled from its header.

    Attributes:
        left_out: columns that are not carried over, with the reason.
    """

    def __init__(self, header: Row, mapping: ColumnMapping) -> None:
        """Take the header, and where columns go that do not go where their names say.

        Raises:
            MappingFault: two columns have one name, or a mapped one is not there.
        """
        # What Assay wrote itself stands for itself, blanks included.
        names = [name if name.startswith(OWN) else name.strip() for name in header]
        _check(names, mapping)
        self.left_out: list[tuple[str, str]] = []
        self._width = len(names)
        texts: list[tuple[int, str]] = []
        plain: list[tuple[int, str]] = []
        self._expected: int | None = None
        self._others: list[tuple[int, str, Target]] = []
        for place, name in enumerate(names):
            where = goes_to(name, mapping)
            target = None if where is None else target_of(where)
            if not name:
                self.left_out.append((f"column {place + 1}", "It has no name."))
            elif target is None:
                if name not in mapping:
                    plain.append((place, name))
            elif target.field == "input" and target.name is not None and not target.is_json:
                texts.append((place, target.name))
            elif target == _EXPECTED and self._expected is None:
                self._expected = place
            else:
                self._others.append((place, name, target))
        self._special = TableColumns.of(plain)
        self.left_out += self._special.left_out
        self._input = _picker(sorted([*texts, *self._special.variables]))
        self._has_special = self._special.has_assertions or self._special.has_metadata
        self._is_plain = not self._others and not self._has_special

    def draft(self, row: Row) -> Draft:
        """What a row says.

        Raises:
            RowFault: it has more or fewer cells than the header, or one cannot be read.
        """
        if len(row) != self._width:
            raise RowFault(
                f"The row has {len(row)} cells, and the header {self._width}: has a text with a "
                "delimiter no quotes around it?"
            )
        expected = None if self._expected is None else row[self._expected] or None
        # Most files have nothing else, and this is the path of millions of rows.
        if self._is_plain:
            return Draft(self._input(row), expected)
        fields: Fields = {"input": self._input(row), "expected_output": expected}
        for place, name, target in self._others:
            cell = row[place]
            if not _is_empty(cell, target):
                put(fields, target, _json(cell, name) if target.is_json else cell, name)
        if self._has_special:
            put_special(fields, self._special, row)
        return Draft(**fields)


def _check(names: Sequence[str], mapping: ColumnMapping) -> None:
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise MappingFault(f"Two columns are called {name!r}; give one another name.")
        seen.add(name)
    if missing := [name for name in mapping if name not in seen]:
        raise MappingFault(
            f"The file has no column {missing[0]!r}.",
            errors=[FieldFault(name, "there is no such column") for name in missing],
        )


def _picker(columns: Sequence[tuple[int, str]]) -> Callable[[Row], dict[str, Any]]:
    """Makes an object of some cells of a row, as fast as can be."""
    names = [name for _, name in columns]
    places = [place for place, _ in columns]
    if len(places) < 2:
        return lambda row: {name: row[place] for place, name in columns}
    pick = itemgetter(*places)
    return lambda row: dict(zip(names, pick(row), strict=True))


def _is_empty(cell: str, target: Target) -> bool:
    """Whether a cell says nothing about the item."""
    if target.is_json or target.field == "metadata":
        return not cell.strip()
    return not cell


def _json(cell: str, column: str) -> Any:
    try:
        return checked_json(cell)
    except ValueError as error:
        raise RowFault(f"Not valid JSON: {error}", column) from None
