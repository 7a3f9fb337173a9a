"""Errors over HTTP: RFC 9457 problem documents, and their place in the OpenAPI document."""

import math
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from assay.core.database import is_disconnect
from assay.core.errors import AssayError, Invalid, TooMany, Unavailable

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One fault of the input."""

    place: str = Field(examples=["body.items[3].input"])
    message: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no project with this id."])
    code: str = Field(examples=["not_found"], description="For programs to match on")
    errors: list[Fault] = Field(default=[], description="Each fault of the input, with its place")
    request_id: str | None = None


def problems(*errors: type[AssayError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that can answer with these errors.

    Each error class writes its own entry: its status, and its docstring as the description.
    """
    entries: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        entry = entries.setdefault(
            error.status, {"description": "", "content": {MEDIA_TYPE: {"schema": _schema_ref()}}}
        )
        entry["description"] = " ".join(filter(None, [entry["description"], error().detail]))
    return entries


def _schema_ref() -> dict[str, str]:
    return {"$ref": "#/components/schemas/Problem"}


def problem_response(
    status: int,
    detail: str,
    code: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem document as a response; the request id is taken from the log context."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": errors or [],
        "request_id": request_id,
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _assay_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AssayError)
    headers = None
    if isinstance(error, TooMany):
        headers = {"Retry-After": str(math.ceil(error.retry_after))}
    elif isinstance(error, Unavailable):
        headers = {"Retry-After": "1"}
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", error=str(error), code=error.code)
    faults = [{"place": fault.place, "message": fault.message} for fault in error.errors]
    return problem_response(error.status, error.detail, error.code, errors=faults, headers=headers)


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"place": place(fault["loc"]), "message": str(fault["msg"])} for fault in error.errors()
    ]
    first = f"{faults[0]['place']}: {faults[0]['message']}" if faults else "it has no content"
    detail = f"The request does not have the right form: {first}"
    return problem_response(Invalid.status, detail, Invalid.code, errors=faults)


def place(location: tuple[int | str, ...]) -> str:
    """`("body", "items", 3, "input")` as `body.items[3].input`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    headers = dict(error.headers) if error.headers else None
    return problem_response(error.status_code, str(error.detail), code, headers=headers)


def _database_error(_request: Request, error: Exception) -> JSONResponse:
    if is_disconnect(error):
        log.warning("database connection lost", error=str(error).split("\n", 1)[0])
        gone = Unavailable("The database does not answer; try again in a moment.")
        return _assay_error(_request, gone)
    return _unexpected(_request, error)


def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    log.exception("unexpected error", exc_info=error)
    detail = "Something went wrong inside Assay; the log has the details under this request id."
    return problem_response(AssayError.status, detail, AssayError.code)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem document; never a stack trace."""
    app.add_exception_handler(AssayError, _assay_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(OSError, _database_error)
    app.add_exception_handler(Exception, _unexpected)
