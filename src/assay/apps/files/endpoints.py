"""Endpoints of files."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response, status
from fastapi.responses import StreamingResponse

from assay.apps.access import AppReader, AppWriter
from assay.apps.files import service
from assay.apps.files.kinds import UNKNOWN
from assay.apps.files.models import File
from assay.apps.files.names import attachment
from assay.apps.files.ranges import RangeNotSatisfiable, wanted_range
from assay.apps.files.receiving import UploadBrokenOff, UploadInvalid, receive
from assay.apps.files.schemas import FileRead
from assay.apps.files.service import FileNotFound
from assay.apps.wire import Deleted
from assay.core.config import Settings
from assay.core.database import Database, Session
from assay.core.errors import Invalid, TooLarge
from assay.core.problems import problem_response, problems
from assay.files.access import BytesRemover, StorageOf
from assay.files.removals import UploadTooSlow
from assay.files.storage import BytesGone, StorageUnavailable

router = APIRouter(prefix="/files", tags=["app-files"], responses=problems(Invalid))

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One file, streamed; it may be as large as MAX_UPLOAD_BYTES says",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                },
            },
        },
    }
}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
RangeHeader = Annotated[
    str | None, Header(description="Which bytes are wanted", examples=["bytes=0-1023"])
]
IfRange = Annotated[
    str | None, Header(description="The ETag without which the range does not count")
]


@router.post(
    "/upload",
    status_code=status.HTTP_201_CREATED,
    response_model=FileRead,
    responses=problems(UploadInvalid, UploadBrokenOff, TooLarge, UploadTooSlow, StorageUnavailable),
    openapi_extra=_BODY,
)
async def upload_file(request: Request, actor: AppWriter, storage: StorageOf) -> File:
    """Store a file; what kind it is is found from its first bytes."""
    database = cast("Database", request.app.state.database)
    settings = cast("Settings", request.app.state.settings)
    incoming = await receive(request.headers.get("content-type", ""), request.stream())
    return await service.upload(database, storage, actor, incoming, limit=settings.max_upload_bytes)


@router.get("/{file_id}", response_model=FileRead, responses=problems(FileNotFound))
async def get_file(session: Session, actor: AppReader, file_id: UUID) -> File:
    """Read what is known of a file."""
    return await service.get_file(session, actor, file_id)


@router.get(
    "/{file_id}/download",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The whole file", "content": _BYTES},
        206: {"description": "The range that was asked for", "content": _BYTES},
        **problems(FileNotFound, BytesGone, RangeNotSatisfiable, StorageUnavailable),
    },
)
async def download_file(
    session: Session,
    actor: AppReader,
    storage: StorageOf,
    file_id: UUID,
    range_: Annotated[RangeHeader, Header(alias="Range")] = None,
    if_range: IfRange = None,
) -> Response:
    """Read the bytes of a file, or a range of them, so that recordings can be sought."""
    file = await service.get_file(session, actor, file_id)
    size, headers = file.size_bytes or 0, _headers(file)
    try:
        span = wanted_range(range_ if if_range in (None, headers["ETag"]) else None, size)
    except RangeNotSatisfiable as error:
        unknown = {"Content-Range": f"bytes */{size}"}
        return problem_response(error.status, error.detail, error.code, headers=unknown)
    start, end = span or (0, size)
    headers["Content-Length"] = str(end - start)
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    found = await storage.open(file.storage_path, start, end) if size else None
    return StreamingResponse(
        found.chunks if found else iter(()),
        status.HTTP_206_PARTIAL_CONTENT if span else status.HTTP_200_OK,
        headers,
        media_type=file.mime_type or UNKNOWN,
    )


@router.head("/{file_id}/download", include_in_schema=False)
async def describe_download(session: Session, actor: AppReader, file_id: UUID) -> Response:
    """What a download would say of itself."""
    file = await service.get_file(session, actor, file_id)
    headers = _headers(file) | {"Content-Length": str(file.size_bytes or 0)}
    return Response(headers=headers, media_type=file.mime_type or UNKNOWN)


def _headers(file: File) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        # Never shown inside of our own pages, whatever it is.
        "Content-Disposition": attachment(file.original_name),
        # Compressed on the way, it would have neither this length nor ranges.
        "Content-Encoding": "identity",
        "ETag": f'"{file.sha256}"',
    }


@router.delete("/{file_id}", responses=problems(FileNotFound))
async def delete_file(
    session: Session,
    actor: AppWriter,
    remover: BytesRemover,
    file_id: UUID,
) -> Deleted:
    """Delete a file; its bytes go after that."""
    keys = await service.delete_file(session, actor, file_id)
    remover.remove_later(keys)
    return Deleted(id=file_id)
