"""The endpoint of imports."""

from collections.abc import AsyncIterator
from email.message import Message
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request, status
from starlette.requests import ClientDisconnect

from assay.core.database import Database, Session
from assay.core.decoding import Encoding, encoding_named
from assay.core.errors import FieldFault, Invalid
from assay.core.problems import problems
from assay.events.models import Topic
from assay.events.service import publish
from assay.playground.access import Editor
from assay.playground.datasets.imports import service
from assay.playground.datasets.imports.reading import FileForm
from assay.playground.datasets.imports.schemas import FileFormat, ImportParameters, ImportReport
from assay.playground.datasets.imports.service import (
    ImportStalled,
    Progress,
    RowsRefused,
    SchemaChanged,
    Tell,
)
from assay.playground.datasets.imports.targets import read_mapping
from assay.playground.datasets.service import DatasetNotFound

router = APIRouter(tags=["datasets"])

_TYPES = {
    "text/csv": FileFormat.csv,
    "text/tab-separated-values": FileFormat.csv,
    "application/x-ndjson": FileFormat.jsonl,
    "application/jsonl": FileFormat.jsonl,
    "application/jsonlines": FileFormat.jsonl,
    "application/x-jsonlines": FileFormat.jsonl,
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is, streamed; it may be as large as MAX_IMPORT_BYTES says",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "message,expected_output\nWhere is my parcel?,delivery\n",
            },
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"input": {"message": "Where?"}, "expected_output": "delivery"}\n',
            },
        },
    }
}


class FormatUnknown(Invalid):
    """Say what the file is: the header Content-Type, or ?format=csv or jsonl."""

    code = "format_unknown"


class ImportBrokenOff(Invalid):
    """The request ended before the file did, so nothing was imported."""

    code = "import_broken_off"


@router.post(
    "/datasets/{dataset_id}/import",
    status_code=status.HTTP_201_CREATED,
    response_model=ImportReport,
    responses=problems(
        DatasetNotFound, Invalid, FormatUnknown, RowsRefused, SchemaChanged, ImportStalled
    ),
    openapi_extra=_BODY,
)
async def import_items(
    request: Request,
    session: Session,
    actor: Editor,
    dataset_id: UUID,
    parameters: Annotated[ImportParameters, Query()],
) -> ImportReport:
    """Make items of the rows of a CSV or JSON Lines file: all, or where one does not fit, none."""
    form = _form(parameters, request.headers.get("content-type", ""))
    tell = _publisher(request.app.state.database)
    body = _body(request)
    return await service.import_items(session, actor, dataset_id, body, form, tell)


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for block in request.stream():
            yield block
    except ClientDisconnect:
        raise ImportBrokenOff from None


def _form(parameters: ImportParameters, content_type: str) -> FileForm:
    header = Message()
    header["content-type"] = content_type or "application/octet-stream"
    file_format = parameters.format or _TYPES.get(header.get_content_type())
    if file_format is None:
        known = ", ".join(_TYPES)
        raise FormatUnknown(errors=[FieldFault("header.content-type", f"takes {known}")])
    delimiter = parameters.delimiter.delimiter if parameters.delimiter else None
    mapping = read_mapping(parameters.mapping, "query.mapping") if parameters.mapping else {}
    encoding = parameters.encoding or _charset(header)
    return FileForm(file_format, delimiter, encoding, mapping, parameters.partial)


def _charset(header: Message) -> Encoding | None:
    charset = header.get_content_charset()
    return encoding_named(charset) if charset else None


def _publisher(database: Database) -> Tell:
    """Tells readers of the feed how far it is; they know it by the id of the request."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")

    async def tell(progress: Progress) -> None:
        data = {
            "id": str(progress.dataset_id),
            "project_id": str(progress.project_id),
            "request_id": request_id,
            "rows": progress.rows,
            "refused": progress.refused,
            "bytes": progress.bytes,
        }
        async with database.session() as session:
            publish(
                session,
                Topic.datasets,
                "dataset.import_progress",
                data,
                subject=progress.dataset_id,
                project_id=progress.project_id,
            )

    return tell
