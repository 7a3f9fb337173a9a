"""The columns of a CSV file of items, chosen so that an import finds the same items in it.

What is text in every item gets a column of its name, as people would write it. All else is
written as JSON in columns that say so: `__json:input.lines`. An empty cell there is nothing.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Subquery,
    Text,
    and_,
    cast,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.delimited import Delimiter
from assay.playground.datasets.imports.targets import OWN
from assay.playground.promptfoo.tables import SPECIAL

MAX_COLUMNS = 500
"""Of one field; with more names the whole field is one column."""

_METADATA = "__metadata:"
# Something that every reader of text sees, so no cell that may be taken for an empty one.
_VISIBLE = "[!-~]"
_CUTTING = frozenset({*Delimiter, '"', "\r", "\n"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, and its cells as an expression over the items."""

    name: str
    cell: ColumnElement[Any]


async def find_columns(session: AsyncSession, items: Subquery) -> list[Column]:
    """The columns for these items, by what all of them hold; reads each once.

    `items` has the columns `input`, `expected_output`, `assertions` and `item_metadata`.
    """
    count, is_text, asserted, expected = (await session.execute(_overview(items))).one()
    columns = await _input_columns(session, items, count)
    if expected:
        columns.append(
            Column("expected_output", _text(items.c.expected_output))
            if is_text
            else _whole("expected_output", items.c.expected_output)
        )
    if asserted:
        columns.append(_whole("assertions", items.c.assertions))
    return [*columns, *await _metadata_columns(session, items)]


def _overview(items: Subquery) -> Any:
    expected = items.c.expected_output
    text_or_none = or_(
        expected.is_(None),
        and_(func.jsonb_typeof(expected) == "string", _text(expected) != ""),
    )
    return select(
        func.count(),
        func.coalesce(func.bool_and(text_or_none), True),
        func.count(items.c.assertions),
        func.count(expected),
    ).select_from(items)


async def _input_columns(session: AsyncSession, items: Subquery, count: int) -> list[Column]:
    entry = _entries(items.c.input)
    is_text = func.jsonb_typeof(entry.c.value) == "string"
    query = (
        select(entry.c.key, func.count().filter(is_text))
        .select_from(items)
        .join(entry, literal(True))
        .group_by(entry.c.key)
        .order_by(func.min(entry.c.place), entry.c.key)
        .limit(MAX_COLUMNS + 1)
    )
    names = (await session.execute(query)).all()
    if not 0 < len(names) <= MAX_COLUMNS:
        return [_whole("input", items.c.input)]
    return [
        Column(name, items.c.input[name].astext)
        if texts == count and is_plain(name)
        else Column(f"{OWN}input.{name}", _json(items.c.input[name]))
        for name, texts in names
    ]


async def _metadata_columns(session: AsyncSession, items: Subquery) -> list[Column]:
    metadata = items.c.item_metadata
    noted = select(items).where(metadata.is_not(None)).subquery()
    entry = _entries(noted.c.item_metadata)
    visible = and_(
        func.jsonb_typeof(entry.c.value) == "string", _text(entry.c.value).regexp_match(_VISIBLE)
    )
    query = (
        # An object without anything is not the same as none.
        select(entry.c.key, func.bool_and(func.coalesce(visible, False)))
        .select_from(noted)
        .outerjoin(entry, literal(True))
        .group_by(entry.c.key)
        .order_by(func.min(entry.c.place), entry.c.key)
        .limit(MAX_COLUMNS + 1)
    )
    names = (await session.execute(query)).all()
    if not names:
        return []
    readable = all(
        name is not None and texts and is_plain(name) and not name.endswith("[]")
        for name, texts in names
    )
    if readable and len(names) <= MAX_COLUMNS:
        return [Column(f"{_METADATA}{name}", metadata[name].astext) for name, _ in names]
    return [_whole("metadata", metadata)]


def is_plain(name: str) -> bool:
    """Whether a name can stand in a header and is read as itself."""
    return (
        name != ""
        and name == name.strip()
        and not name.startswith((SPECIAL, "\ufeff"))
        and name != "expected_output"
        and not name.lower().startswith("sep=")
        and not _CUTTING & set(name)
    )


def _entries(objects: ColumnElement[Any]) -> Any:
    """The fields of objects, each with its place among them."""
    each = func.jsonb_each(objects).table_valued(
        "key", column("value", JSONB), with_ordinality="place", name="entry"
    )
    return each.render_derived().lateral()


def _whole(field: str, value: ColumnElement[Any]) -> Column:
    return Column(f"{OWN}{field}", _json(value))


def _json(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(value, Text)


def _text(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The text that a JSON value is, without quotes."""
    return value.op("#>>", return_type=Text())(literal_column("CAST('{}' AS text[])"))
