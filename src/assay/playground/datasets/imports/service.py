"""Import a file: its rows go into the database while they come in, in one transaction."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import driver_connection
from assay.core.errors import AssayError, Conflict, FieldFault, Invalid
from assay.events.models import Topic
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, record
from assay.playground.datasets.imports.checking import Checker
from assay.playground.datasets.imports.in_thread import in_thread
from assay.playground.datasets.imports.packing import COLUMNS
from assay.playground.datasets.imports.reading import FileForm, Reading
from assay.playground.datasets.imports.schemas import ImportReport
from assay.playground.datasets.models import Dataset
from assay.playground.datasets.service import DatasetNotFound, authorize_dataset
from assay.playground.datasets.versions import next_version

TELL_EVERY = 1.0
"""Seconds between two words on how far an import is."""

IDLE_SECONDS = 60.0
# Each holds a connection and a thread for as long as it takes.
AT_ONCE = 4

# Rows of this transaction, wherever they are among those that others made meanwhile.
_SET_VERSION = text("""
    UPDATE playground.dataset_items SET created_in = :version, changed_in = :version
    WHERE dataset_id = :dataset_id AND created_in = :expected
        AND xmin = CAST(pg_current_xact_id() AS xid)
""")


class RowsRefused(Invalid):
    """Rows of the file do not fit, so nothing was imported."""

    code = "rows_refused"


class ImportStalled(AssayError):
    """The rest of the file did not come, so nothing was imported."""

    status = 408
    code = "import_stalled"


class SchemaChanged(Conflict):
    """The dataset's schemas were changed in the middle of the import; import the file again."""

    code = "schema_changed"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    dataset_id: UUID
    project_id: UUID
    rows: int
    refused: int
    bytes: int


Tell = Callable[[Progress], Awaitable[None]]
_at_once = asyncio.Semaphore(AT_ONCE)


async def import_items(
    session: AsyncSession,
    actor: Actor,
    dataset_id: UUID,
    source: AsyncIterator[bytes],
    form: FileForm,
    tell: Tell,
) -> ImportReport:
    """Make items of the rows of a file, in one transaction and one version of the dataset.

    Others may change the dataset meanwhile.

    Args:
        session: whose transaction holds all of it.
        actor: who imports.
        dataset_id: what the items go into.
        source: the bytes of the file, as they come.
        form: how to read them.
        tell: called at the start and then about each second with how far it is.

    Raises:
        DatasetNotFound, RoleTooLow
        RowsRefused: rows do not fit, and `form` wants all or nothing; with the first 100 faults.
        SchemaChanged: somebody changed what the rows were held against.
        ImportStalled: the file stopped coming.
        Invalid: the file cannot be read.
    """
    # Before the first query, so that those who wait hold no connection.
    async with _at_once:
        project_id = await authorize_dataset(session, actor, dataset_id)
        dataset = await session.scalar(select(Dataset).where(Dataset.id == dataset_id))
        if dataset is None:
            raise DatasetNotFound
        schemas = (dataset.input_schema, dataset.expected_output_schema)
        expected = dataset.version + 1
        reading = Reading(form, Checker(*schemas), dataset_id, expected)
        await _store(session, reading, source, _Teller(tell, reading, dataset_id, project_id))
    if reading.failed:
        raise _refusal(reading)
    version = dataset.version
    if reading.items:
        version = await _settle(session, dataset_id, expected, schemas)
        told = {"items": reading.items, "refused": reading.refused, "version": version}
        change = Change(Topic.datasets, "dataset.imported", dataset_id, project_id, told)
        record(session, actor, change)
    return ImportReport(
        items=reading.items,
        refused=reading.refused,
        refusals=reading.refusals,
        left_out=reading.left_out,
        version=version,
    )


async def _store(
    session: AsyncSession, reading: Reading, source: AsyncIterator[bytes], teller: "_Teller"
) -> None:
    """Copy what is read; once it has failed, only read on, to say all that is wrong."""
    connection = await driver_connection(session)
    async with in_thread(_in_time(source), reading.packed) as blocks:

        async def sound() -> AsyncIterator[bytes]:
            async for block in blocks:
                if reading.failed:
                    raise _Failed
                yield block
                await teller.tell()
            if reading.failed:
                raise _Failed

        try:
            await connection.copy_to_table(
                "dataset_items",
                schema_name="playground",
                columns=COLUMNS,
                format="binary",
                source=sound(),
            )
        except _Failed:
            async for _ in blocks:
                await teller.tell()


class _Failed(Exception):
    """Nothing of the file is to be kept."""


class _Teller:
    def __init__(self, tell: Tell, reading: Reading, dataset_id: UUID, project_id: UUID) -> None:
        self._tell = tell
        self._reading = reading
        self._ids = (dataset_id, project_id)
        self._next = 0.0

    async def tell(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + TELL_EVERY
            reading = self._reading
            await self._tell(Progress(*self._ids, reading.items, reading.refused, reading.bytes))


async def _in_time(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The source, for as long as something comes of it now and then."""
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                block = await anext(source, None)
        except TimeoutError:
            raise ImportStalled(
                f"Nothing of the file came for {IDLE_SECONDS:g} seconds, so nothing was imported."
            ) from None
        if block is None:
            return
        yield block


async def _settle(
    session: AsyncSession, dataset_id: UUID, expected: int, schemas: tuple[object, object]
) -> int:
    """Take the next version; the rows are in it already, unless others took it meanwhile."""
    dataset = await next_version(session, dataset_id)
    if (dataset.input_schema, dataset.expected_output_schema) != schemas:
        raise SchemaChanged
    if dataset.version != expected:
        given = {"version": dataset.version, "dataset_id": dataset_id, "expected": expected}
        await session.execute(_SET_VERSION, given)
    return dataset.version


def _refusal(reading: Reading) -> RowsRefused:
    rows = "A row does" if reading.refused == 1 else f"{reading.refused:,} rows do"
    return RowsRefused(
        f"{rows} not fit, so nothing was imported; {reading.items:,} would.",
        errors=[
            FieldFault(f"line {each.line}{', ' if each.place else ''}{each.place}", each.message)
            for each in reading.refusals
        ],
    )
