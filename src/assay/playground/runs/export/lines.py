"""A run as lines of JSON: one object a cell, with all that is stored of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson

from assay.core.database import Database
from assay.playground.runs.export.reading import Exported, ExportedCell, read_pages


async def write_lines(database: Database, exported: Exported) -> AsyncIterator[bytes]:
    """The lines of a run, in UTF-8."""
    async for page in read_pages(database, exported.run):
        yield await asyncio.to_thread(_page, page)


def _page(page: Sequence[ExportedCell]) -> bytes:
    # The driver's UUIDs are a class of their own, which orjson does not know.
    return b"".join(orjson.dumps(cell._asdict(), default=str) + b"\n" for cell in page)
