"""The endpoint of exports."""

from typing import Annotated, cast
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from assay.core.database import Database
from assay.core.errors import Invalid
from assay.core.problems import problems
from assay.playground.access import Reader
from assay.playground.datasets.exports.service import prepare_export, write_export
from assay.playground.datasets.imports.schemas import FileFormat
from assay.playground.datasets.service import DatasetNotFound, get_dataset
from assay.playground.datasets.versions import VERSIONS, VersionNotFound

router = APIRouter(tags=["datasets"])

MEDIA_TYPES = {
    FileFormat.csv: "text/csv; charset=utf-8",
    FileFormat.jsonl: "application/x-ndjson",
}


@router.get(
    "/datasets/{dataset_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One row or line for each item, as an import reads them back",
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string"}}
                for kind in MEDIA_TYPES.values()
            },
        },
        **problems(Invalid, DatasetNotFound, VersionNotFound),
    },
)
async def export_items(
    request: Request,
    actor: Reader,
    dataset_id: UUID,
    format: FileFormat = FileFormat.csv,  # noqa: A002  # the parameter's name in the API
    version: Annotated[
        int | None, Query(**VERSIONS, description="As they were in this version of the dataset")
    ] = None,
) -> StreamingResponse:
    """Write the items of a dataset as CSV or JSON Lines."""
    database = cast("Database", request.app.state.database)
    async with database.reading() as session:
        dataset = await get_dataset(session, actor, dataset_id)
        export = await prepare_export(session, actor, dataset_id, format, version)
    return StreamingResponse(
        write_export(database, export),
        media_type=MEDIA_TYPES[format],
        headers={
            "Content-Disposition": _attachment(f"{dataset.name} v{export.version}.{format}"),
            "Cache-Control": "no-store",
        },
    )


def _attachment(name: str) -> str:
    """The header that names a file, for old readers without what is not ASCII (RFC 6266)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " ._-") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
