"""A run as a table in CSV: one row a cell, item variables as columns."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from assay.core.database import Database, to_json
from assay.playground.runs.export.reading import (
    Exported,
    ExportedCell,
    read_pages,
    variable_names,
)

# Items with more different variables than this have them in one column, as JSON.
MOST_COLUMNS = 500
FIXED = (
    "expected_output",
    "model",
    "repetition",
    "output",
    "passed",
    "score",
    "latency_ms",
    "cost",
    "error",
    "reasons",
)
# What spreadsheets take for a formula, so that an answer of a model could act as one.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.]+$)")


async def write_table(database: Database, exported: Exported) -> AsyncIterator[bytes]:
    """The rows of a run, with a header, in UTF-8."""
    names = await variable_names(database, exported.run, MOST_COLUMNS + 1)
    columns = names if len(names) <= MOST_COLUMNS else None
    header = ["input"] if columns is None else [f"input.{name}" for name in columns]
    yield _rows([["item_id", *map(_safe, header), *FIXED]])
    async for page in read_pages(database, exported.run):
        yield await asyncio.to_thread(_page, page, columns)


def _page(page: Sequence[ExportedCell], columns: Sequence[str] | None) -> bytes:
    return _rows([_row(cell, columns) for cell in page])


def _row(cell: ExportedCell, columns: Sequence[str] | None) -> list[object]:
    if columns is None:
        variables = [to_json(cell.input)]
    else:
        variables = [_text(cell.input[name]) if name in cell.input else "" for name in columns]
    return [
        cell.item_id,
        *variables,
        _text(cell.expected_output),
        _safe(cell.model),
        cell.repetition,
        _safe(cell.output or ""),
        str(cell.passed).lower(),
        cell.score,
        "" if cell.latency_ms is None else cell.latency_ms,
        "" if cell.cost is None else cell.cost,
        _safe(cell.error or ""),
        _safe("\n".join(cell.failures())),
    ]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _safe(value if isinstance(value, str) else to_json(value))


def _safe(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _rows(rows: Sequence[Sequence[object]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
