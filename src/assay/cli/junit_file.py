"""Results for continuous integration: runs as JUnit XML in a file."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from assay.core.database import Database
from assay.core.errors import SetupError
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.runs.export.junit import write_junit
from assay.playground.runs.export.reading import find_exported


async def write_junit_file(database: Database, run_ids: Sequence[UUID], target: Path) -> None:
    """Write a suite for each run, with a test case for each cell.

    Raises:
        SetupError: the file cannot be written.
    """
    async with database.session() as session:
        runs = [await find_exported(session, LOCAL_ACTOR, run_id) for run_id in run_ids]
    try:
        with target.open("wb") as stream:
            async for piece in write_junit(database, runs):
                stream.write(piece)
    except OSError as error:
        raise SetupError(f"--junit {target} cannot be written: {error.strerror}.") from None
