"""Write the items of a version of a dataset; PostgreSQL does the writing."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Dialect, Select, Subquery, Text, case, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database
from assay.identity.actor import Actor
from assay.playground.datasets.exports.columns import Column, find_columns
from assay.playground.datasets.imports.schemas import FileFormat
from assay.playground.datasets.items.history import content_in, present_in
from assay.playground.datasets.models import DatasetItem
from assay.playground.datasets.versions import require_version

_DIALECT: Dialect = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]  # it has no types
# Pieces that wait for a slow reader.
AHEAD = 4
# JSON text has neither, so nothing of a line is put into quotes.
_BARE: dict[str, Any] = {"delimiter": "\x02", "quote": "\x01"}


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written: the header, and a query whose rows are the rest.

    Attributes:
        version: of the dataset.
        head: comes first, as bytes.
        query: for COPY, with `arguments`.
        options: of COPY.
    """

    version: int
    head: bytes
    query: str
    arguments: Sequence[Any]
    options: dict[str, Any]


async def prepare_export(
    session: AsyncSession,
    actor: Actor,
    dataset_id: UUID,
    file_format: FileFormat,
    version: int | None = None,
) -> Export:
    """Find what an export takes; by default of the version that the dataset is at.

    Raises:
        DatasetNotFound, VersionNotFound
    """
    newest = await require_version(session, actor, dataset_id, version)
    version = newest if version is None else version
    items = _items(dataset_id, version)
    if file_format is FileFormat.jsonl:
        query: Select[*tuple[Any, ...]] = _lines(items)
        head, options = b"", _BARE
    else:
        columns = await find_columns(session, items)
        query = _cells(items, columns)
        head, options = _header(columns), {"force_quote": True}
    text, arguments = _compiled(query)
    return Export(version, head, text, arguments, options)


async def write_export(database: Database, export: Export) -> AsyncIterator[bytes]:
    """The bytes of the file, as fast as they are taken, from a connection of its own."""
    yield export.head
    made: asyncio.Queue[bytes | None] = asyncio.Queue(AHEAD)
    copying = asyncio.create_task(_copy(database, export, made))
    try:
        while (piece := await made.get()) is not None:
            yield bytes(piece)
        await copying
    finally:
        copying.cancel()
        await asyncio.wait([copying])


async def _copy(database: Database, export: Export, made: asyncio.Queue[bytes | None]) -> None:
    """Put the rows in line, and `None` behind them or behind what there is until an error."""
    try:
        async with database.connection() as connection:
            await connection.copy_from_query(
                export.query,
                *export.arguments,
                output=made.put,
                format="csv",
                **export.options,
            )
    except Exception:
        await made.put(None)
        raise
    await made.put(None)


def _items(dataset_id: UUID, version: int) -> Subquery:
    held = content_in(version).values()
    query = select(DatasetItem.id, *held).where(present_in(dataset_id, version))
    return query.subquery("item")


def _cells(items: Subquery, columns: Sequence[Column]) -> Select[*tuple[Any, ...]]:
    # A row of one cell that is null would be a blank line, which is no row.
    cells = [func.coalesce(column.cell, "") for column in columns]
    return select(*cells).select_from(items).order_by(items.c.id)


def _lines(items: Subquery) -> Select[str]:
    line: Any = func.jsonb_build_object("input", items.c.input, type_=JSONB)
    for name, value in (
        ("expected_output", items.c.expected_output),
        ("assertions", items.c.assertions),
        ("metadata", items.c.item_metadata),
    ):
        there = func.jsonb_build_object(name, value, type_=JSONB)
        nothing = cast("{}", JSONB)
        line = line.concat(case((value.is_(None), nothing), else_=there))
    return select(cast(line, Text)).select_from(items).order_by(items.c.id)


def _header(columns: Sequence[Column]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(c.name for c in columns)
    return text.getvalue().encode()


def _compiled(query: Select[*tuple[Any, ...]]) -> tuple[str, list[Any]]:
    compiled = query.compile(dialect=_DIALECT)
    parameters = compiled.params
    return str(compiled), [parameters[name] for name in compiled.positiontup or ()]
