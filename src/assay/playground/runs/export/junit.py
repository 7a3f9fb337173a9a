"""Runs as JUnit XML, which systems for continuous integration read: one test case a cell."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from html import escape
from uuid import UUID

from assay.core.database import Database
from assay.playground.runs.export.reading import Exported, ExportedCell, read_pages
from assay.playground.runs.titles import shortened, title_of

# Much longer ones make these systems slow, or are refused.
LONGEST_OUTPUT = 10_000
LONGEST_MESSAGE = 500
# XML 1.0 has no way to write these.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


async def write_junit(database: Database, runs: Sequence[Exported]) -> AsyncIterator[bytes]:
    """A suite for each run, with a test case for each of its cells, in UTF-8."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
    for exported in runs:
        yield _opening(exported).encode()
        cases = _Cases(f"{exported.prompt} v{exported.version}")
        async for page in read_pages(database, exported.run):
            yield await asyncio.to_thread(cases.write, page)
        yield b"  </testsuite>\n"
    yield b"</testsuites>\n"


def _opening(exported: Exported) -> str:
    run = exported.run
    counts = f'tests="{run.completed}" failures="{run.failed}" errors="{run.errors}" skipped="0"'
    name = _attribute(run.name or f"{exported.prompt} v{exported.version}")
    started = (run.started_at or run.created_at).isoformat(timespec="seconds")
    return f'  <testsuite name="{name}" id="{run.id}" {counts} timestamp="{started}">\n'


class _Cases:
    """Writes the test cases of a run; items are numbered as they come."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._number = 0
        self._item_id: UUID | None = None

    def write(self, page: Sequence[ExportedCell]) -> bytes:
        """The test cases of the next cells."""
        return "".join(map(self._case, page)).encode()

    def _case(self, cell: ExportedCell) -> str:
        if cell.item_id != self._item_id:
            self._item_id = cell.item_id
            self._number += 1
        name = f"{self._number}. {title_of(cell.input, cell.metadata)}"
        if cell.repetition:
            name += f" (repetition {cell.repetition + 1})"
        seconds = (cell.latency_ms or 0.0) / 1000
        opening = (
            f'    <testcase classname="{_attribute(f"{self._title} / {cell.model}")}" '
            f'name="{_attribute(name)}" time="{seconds:.3f}"'
        )
        outcome = _outcome(cell)
        return f"{opening}>\n{outcome}    </testcase>\n" if outcome else f"{opening}/>\n"


def _outcome(cell: ExportedCell) -> str:
    if cell.error is not None:
        kind, _, detail = cell.error.partition(": ")
        return _element("error", detail or cell.error, kind, cell.error)
    if cell.passed:
        return ""
    found = cell.failures()
    reason = (cell.grading or {}).get("reason") or "; ".join(found)
    details = "\n".join([*found, "", "Output:", _cut(cell.output or "")])
    return _element("failure", reason, "assertion", details)


def _element(name: str, message: str, kind: str, details: str) -> str:
    message = _attribute(shortened(message, LONGEST_MESSAGE))
    return (
        f'      <{name} message="{message}" type="{_attribute(kind)}">{_text(details)}</{name}>\n'
    )


def _cut(text: str) -> str:
    if len(text) <= LONGEST_OUTPUT:
        return text
    return f"{text[:LONGEST_OUTPUT]}\n(cut; {len(text):,} characters in all)"


def _text(text: str) -> str:
    clean = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return escape(clean, quote=False).replace("\r", "&#13;")


def _attribute(text: str) -> str:
    clean = escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))
    # A reader would make spaces of these.
    return clean.replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
