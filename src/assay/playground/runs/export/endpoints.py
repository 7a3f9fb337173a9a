"""Exports over HTTP."""

from enum import StrEnum
from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from assay.core.database import Database
from assay.core.errors import Invalid
from assay.core.problems import problems
from assay.playground.access import Reader
from assay.playground.runs.export.junit import write_junit
from assay.playground.runs.export.lines import write_lines
from assay.playground.runs.export.reading import find_exported
from assay.playground.runs.export.table import write_table
from assay.playground.runs.service import RunNotFound

router = APIRouter(prefix="/eval-runs", tags=["runs"])


class ExportFormat(StrEnum):
    """What an export is written as."""

    csv = "csv"
    jsonl = "jsonl"
    junit = "junit"


MEDIA_TYPES = {
    ExportFormat.csv: "text/csv; charset=utf-8",
    ExportFormat.jsonl: "application/jsonl",
    ExportFormat.junit: "application/xml",
}


@router.get(
    "/{run_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One row, line or test case for each cell",
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string"}}
                for kind in MEDIA_TYPES.values()
            },
        },
        **problems(Invalid, RunNotFound),
    },
)
async def export_run(
    request: Request,
    actor: Reader,
    run_id: UUID,
    format: ExportFormat = ExportFormat.csv,  # noqa: A002  # the parameter's name in the API
) -> StreamingResponse:
    """Write the results of a run for a spreadsheet, a program, or continuous integration."""
    database = cast("Database", request.app.state.database)
    async with database.session() as session:
        exported = await find_exported(session, actor, run_id)
    if format is ExportFormat.csv:
        written = write_table(database, exported)
    elif format is ExportFormat.jsonl:
        written = write_lines(database, exported)
    else:
        written = write_junit(database, [exported])
    ending = "xml" if format is ExportFormat.junit else format
    return StreamingResponse(
        written,
        media_type=MEDIA_TYPES[format],
        headers={
            "Content-Disposition": f'attachment; filename="run-{run_id}.{ending}"',
            "Cache-Control": "no-store",
        },
    )
