"""The lines of a JSON Lines file as drafts of items."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from assay.core.errors import Invalid
from assay.core.text import MAX_DEPTH
from assay.playground.datasets.imports.draft import Draft, Fields, RowFault, put, put_special
from assay.playground.datasets.imports.strict_json import checked_json
from assay.playground.datasets.imports.targets import (
    ColumnMapping,
    Target,
    goes_to,
    target_of,
)
from assay.playground.promptfoo.tables import SPECIAL, TableColumns

MAX_LINE = 16 * 1024 * 1024
"""Bytes of a line at most."""

_FIELDS = frozenset(Draft._fields)
# To find integers that may be too long; several times as fast as a regular expression.
_DIGITS_TO_0 = bytes(b"0"[0] if chr(byte) in "0123456789" else b" "[0] for byte in range(256))
_LONG_INTEGER = b"0" * 19
_NUL = b"\\u0000"  # which PostgreSQL does not store
_PLANS = 1000  # distinct sets of fields that are kept in mind


class LineTooLong(Invalid):
    """A line is longer than this server takes."""


def lines_of(blocks: Iterable[bytes]) -> Iterator[tuple[list[bytes], bool]]:
    """The lines of a file, some at a time, and whether they need a close look.

    Raises:
        LineTooLong: one does not end within `MAX_LINE` bytes.
    """
    rest = b""
    for block in blocks:
        whole = rest + block
        end = whole.rfind(b"\n") + 1
        if end:
            text, rest = whole[: end - 1], whole[end:]
            yield text.split(b"\n"), _is_suspicious(text)
        else:
            rest = whole
        if len(rest) > MAX_LINE:
            raise LineTooLong(f"A line has more than {MAX_LINE:,} bytes; is each item in one line?")
    if rest:
        yield [rest], _is_suspicious(rest)


def _is_suspicious(text: bytes) -> bool:
    return _NUL in text or _LONG_INTEGER in text.translate(_DIGITS_TO_0)


class Records:
    """The lines of a file: items as the API takes them, or else objects of variables."""

    def __init__(self, mapping: ColumnMapping) -> None:
        """Take where fields go that do not go where their names say."""
        self._mapping = mapping
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def draft(self, line: bytes, *, suspicious: bool) -> Draft:
        """What a line says; with `suspicious` it is looked at closely, which takes longer.

        Raises:
            RowFault: it is not a JSON object, or not one of an item.
        """
        record = _parsed(line, suspicious=suspicious)
        if not isinstance(record, dict):
            raise RowFault("Each line must be a JSON object.")
        if isinstance(record.get("input"), dict) and not self._mapping:
            if record.keys() <= _FIELDS:
                get = record.get
                return Draft(
                    record["input"], get("expected_output"), get("assertions"), get("metadata")
                )
            extra = next(name for name in record if name not in _FIELDS)
            raise RowFault(
                f"An item has no such field, only {', '.join(Draft._fields)}; an object of "
                "variables must not have an object called input.",
                extra,
            )
        return self._plan(tuple(record)).draft(record)

    def _plan(self, names: tuple[str, ...]) -> "_Plan":
        plan = self._plans.get(names)
        if plan is None:
            plan = _Plan(names, self._mapping)
            if len(self._plans) < _PLANS:
                self._plans[names] = plan
        return plan


class _Plan:
    """Where the fields of records go that have the same ones."""

    def __init__(self, names: tuple[str, ...], mapping: ColumnMapping) -> None:
        self._targets: list[tuple[str, Target]] = []
        self._special_names: list[str] = []
        for name in names:
            where = goes_to(name, mapping)
            if where is not None:
                self._targets.append((name, target_of(where)))
            elif name in mapping:
                continue
            elif name.startswith(SPECIAL):
                self._special_names.append(name)
            else:
                self._targets.append((name, Target("input", name, is_json=True)))
        self._special = TableColumns.of(list(enumerate(self._special_names)))

    def draft(self, record: dict[str, Any]) -> Draft:
        if self._special.left_out:
            name, reason = self._special.left_out[0]
            raise RowFault(f"This is not carried over. {reason}", name)
        fields: Fields = {"input": {}}
        for name, target in self._targets:
            put(fields, target, record[name], name)
        if self._special_names:
            cells = [_text(record, name) for name in self._special_names]
            put_special(fields, self._special, cells)
        return Draft(**fields)


def _parsed(line: bytes, *, suspicious: bool) -> Any:
    try:
        # A line that is nested too deep has at least as many brackets.
        if suspicious or line.count(b"[") + line.count(b"{") > MAX_DEPTH:
            return checked_json(line.decode())
        return orjson.loads(line)
    except (ValueError, RecursionError) as error:
        raise RowFault(f"Not valid JSON: {error}") from None


def _text(record: dict[str, Any], name: str) -> str:
    value = record[name]
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise RowFault("This must be text.", name)
