"""Errors over HTTP: RFC 9457 problem documents, and their place in the OpenAPI document."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from assay.core.database import DATABASE_ERRORS, is_deadlock, is_disconnect
from assay.core.errors import AssayError, FieldFault, Invalid, Unavailable

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One fault of the input."""

    place: str = Field(examples=["body.items[3].input"])
    message: str = Field(examples=["Field required"])
    pointer: str | None = Field(
        default=None,
        examples=["/address/city"],
        description="The place inside a value that has a schema of its own (RFC 6901)",
    )


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
    wait = getattr(error, "retry_after", None)
    if wait is None and error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        wait = 1.0
    headers = {} if wait is None else {"Retry-After": str(math.ceil(wait))}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", error=str(error), code=error.code)
    faults = [_told(fault) for fault in error.errors]
    return problem_response(error.status, error.detail, error.code, errors=faults, headers=headers)


def _told(fault: FieldFault) -> dict[str, str]:
    told = {"place": fault.place, "message": fault.message}
    return told if fault.pointer is None else {**told, "pointer": fault.pointer}


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [_fault(fault) for fault in error.errors()]
    first = f"{faults[0]['place']}: {faults[0]['message']}" if faults else "it has no content"
    detail = f"The request does not have the right form: {first}"
    return problem_response(Invalid.status, detail, Invalid.code, errors=faults)


def _fault(fault: Mapping[str, Any]) -> dict[str, str]:
    where, message = place(fault["loc"]), str(fault["msg"])
    if fault["type"] == "json_invalid":
        where, character = fault["loc"]
        message = f"Not valid JSON at character {character}: {fault['ctx']['error']}"
    elif fault["type"] == "too_long" and isinstance(fault.get("input"), str):
        message = f"Takes up to {fault['ctx']['max_length']:,} characters"
    elif where == "body" and isinstance(fault.get("input"), bytes):
        message = "Takes JSON, sent with the header Content-Type: application/json"
    return {"place": where, "message": message}


def place(location: tuple[int | str, ...]) -> str:
    """`("body", "items", 3, "input")` as `body.items[3].input`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    # FastAPI wraps what is raised while it reads a body.
    if isinstance(error.__cause__, AssayError):
        return _assay_error(request, error.__cause__)
    if isinstance(error.__cause__, UnicodeDecodeError | RecursionError):
        fault = FieldFault("body", "Takes JSON in UTF-8, not nested too deep")
        return _assay_error(request, Invalid("The request cannot be read", errors=[fault]))
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    detail = str(error.detail)
    if detail == status.phrase:
        detail = _explained(request, status, headers)
    return problem_response(status, detail, status.name.lower(), headers=headers)


def _explained(request: Request, status: HTTPStatus, headers: Mapping[str, str]) -> str:
    path = request.url.path
    if status is HTTPStatus.NOT_FOUND:
        return f"There is nothing at {path}; /docs lists what there is."
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{path} does not take {request.method}, only {headers.get('Allow', 'others')}."
    return status.phrase


def _database_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, PoolTimeoutError):
        reason = "All connections to the database are in use; try again in a moment."
    elif is_disconnect(error):
        reason = "The database does not answer; try again in a moment."
    elif is_deadlock(error):
        reason = "Other changes were in the way, and nothing was changed; try again in a moment."
    else:
        return unexpected_error(request, error)
    log.warning("the database did not let us", error=str(error).split("\n", 1)[0])
    return _assay_error(request, Unavailable(reason))


def unexpected_error(_request: Request, error: Exception) -> JSONResponse:
    """The answer to an error that nobody foresaw; the log has it, the caller only its id."""
    log.exception("unexpected error", exc_info=error)
    detail = "Something went wrong inside Assay; the log has the details under this request id."
    return problem_response(AssayError.status, detail, AssayError.code)


def answer(request: Request, error: Exception) -> JSONResponse:
    """The answer to an error, for what stands outside of FastAPI's own handling."""
    if isinstance(error, AssayError):
        return _assay_error(request, error)
    if isinstance(error, DATABASE_ERRORS):
        return _database_error(request, error)
    return unexpected_error(request, error)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem document; never a stack trace."""
    app.add_exception_handler(AssayError, _assay_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, _database_error)
