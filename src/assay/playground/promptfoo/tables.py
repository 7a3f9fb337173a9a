"""The columns of a table of tests: promptfoo's special ones, and variables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.grading.registry import ASSERT_SET
from assay.playground.promptfoo.expected import assertion_of, finite

SPECIAL = "__"
_METADATA = "__metadata:"
_EXPECTED = "__expected"
_CONFIG = re.compile(r"__config:(__expected\d*):threshold")
_COMMA = re.compile(r"(?<!\\),")
_NOT_CARRIED = {
    "__prefix": "Write it into the prompt.",
    "__suffix": "Write it into the prompt.",
    "__providerOutput": "Only answers of models are graded.",
    "__metadata": "It needs a name, as in __metadata:source.",
}


class CellFault(ValueError):
    """A cell cannot be read.

    Attributes:
        column: the name of its column.
        message: what is wrong with it.
    """

    def __init__(self, column: str, message: str) -> None:
        """Take the column and what is wrong."""
        super().__init__(f"{column}: {message}")
        self.column = column
        self.message = message


@dataclass(slots=True)
class TableColumns:
    """What the special columns of a table are for, found once from its header.

    Attributes:
        variables: the place and name of each column that is not special.
        left_out: columns that are not carried over, with the reason.
    """

    variables: list[tuple[int, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    _expected: list[tuple[int, str]] = field(default_factory=list)
    _limits: dict[str, int] = field(default_factory=dict)
    _metadata: list[tuple[int, str, bool]] = field(default_factory=list)
    _description: int | None = None
    _metric: int | None = None
    _threshold: int | None = None

    @classmethod
    def of(cls, header: Sequence[tuple[int, str]]) -> "TableColumns":
        """Of columns, each with its place in a row and its name."""
        columns = cls()
        for place, name in header:
            columns._add(place, name.strip())
        known = {name for _, name in columns._expected}
        for name in columns._limits.keys() - known:
            columns.left_out.append((f"__config:{name}:threshold", f"There is no column {name}."))
        return columns

    def _add(self, place: int, name: str) -> None:
        if name == "__description":
            self._description = place
        elif name == "__metric":
            self._metric = place
        elif name == "__threshold":
            self._threshold = place
        elif name.startswith(_EXPECTED):
            self._expected.append((place, name))
        elif name.startswith(_METADATA):
            key = name.removeprefix(_METADATA)
            self._metadata.append((place, key.removesuffix("[]"), key.endswith("[]")))
        elif match := _CONFIG.fullmatch(name):
            self._limits[match[1]] = place
        elif name in _NOT_CARRIED:
            self.left_out.append((name, _NOT_CARRIED[name]))
        elif name.startswith(SPECIAL):
            self.left_out.append((name, "There is no such special column."))
        else:
            self.variables.append((place, name))

    @property
    def has_assertions(self) -> bool:
        """Whether there is a column with assertions."""
        return bool(self._expected)

    @property
    def has_metadata(self) -> bool:
        """Whether there is a column with metadata or a description."""
        return bool(self._metadata) or self._description is not None

    def assertions(self, row: Sequence[str]) -> list[dict[str, Any]]:
        """The assertions of a row, in the order of their columns.

        Raises:
            CellFault: a threshold is no number.
        """
        metric = "" if self._metric is None else row[self._metric].strip()
        made = []
        for place, name in self._expected:
            if row[place].strip():
                assertion = assertion_of(row[place])
                if name in self._limits:
                    limit = _number(row, self._limits[name], f"__config:{name}:threshold")
                    assertion |= {} if limit is None else {"threshold": limit}
                made.append({**assertion, "metric": metric} if metric else assertion)
        return made

    def threshold(self, row: Sequence[str]) -> float | None:
        """The score that is enough for the test of a row, where it says so.

        Raises:
            CellFault: it is no number.
        """
        if self._threshold is None:
            return None
        return _number(row, self._threshold, "__threshold")

    def metadata(self, row: Sequence[str]) -> dict[str, Any]:
        """What is said about the test of a row, without its description."""
        metadata: dict[str, Any] = {}
        for place, key, is_list in self._metadata:
            cell = row[place]
            if cell.strip():
                metadata[key] = _listed(cell) if is_list else cell
        return metadata

    def description(self, row: Sequence[str]) -> str | None:
        """The description of the test of a row."""
        return None if self._description is None else row[self._description].strip() or None


def _number(row: Sequence[str], place: int, column: str) -> float | None:
    if not row[place].strip():
        return None
    number = finite(row[place])
    if number is None:
        raise CellFault(column, f"{row[place]!r} is not a number")
    return number


def _listed(cell: str) -> list[str]:
    return [part.strip().replace("\\,", ",") for part in _COMMA.split(cell)]


def enough_at(assertions: list[dict[str, Any]], threshold: float | None) -> list[dict[str, Any]]:
    """Assertions of a test that passes by its score alone, where it has a threshold."""
    if threshold is None or not assertions:
        return assertions
    return [{"type": ASSERT_SET, "assert": assertions, "threshold": threshold}]
