"""What a call can raise; all of it derives from `ClientError`.

::

    ClientError
    ├── Invalid            400, 422  the input breaks a rule; `errors` names each place
    ├── Unauthorized       401       no key, or not a valid one
    ├── Forbidden          403       the key may not do this
    ├── NotFound           404       unknown, or not visible to the key
    ├── Conflict           409       clashes with what is there now
    ├── TooLarge           413
    ├── TooMany            429       `retry_after` says when to come back
    ├── ServerError        5xx
    │   └── ServerUnavailable  502, 503, 504, or no answer at all
    ├── Misconfigured      the client cannot start as it is set up
    ├── BrokenDownload     a file arrived otherwise than it was stored
    └── TimedOut           what was waited for did not come in time
"""

from collections.abc import Sequence
from http import HTTPStatus

import httpx2
from pydantic import BaseModel, ValidationError

from assay.core.errors import AssayError, FieldFault
from assay.core.problems import Problem


class ClientError(AssayError):
    """The call did not succeed.

    Attributes:
        status: the HTTP status; that of the class where there was no answer.
        code: for programs to match on, as the server gave it.
        detail: for people.
        errors: each fault of the input: `place`, `message`, and `pointer` where there is one.
        request_id: under which the log of the server has the request.
        retry_after: seconds after which the server wants to be asked again, if it said so.
    """

    code = "client_error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldFault] = (),
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Take what the server said."""
        super().__init__(detail, errors=errors)
        self.status = status or type(self).status
        self.code = code or type(self).code
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        told = super().__str__()
        return f"{told} (request {self.request_id})" if self.request_id else told


class Invalid(ClientError):
    """The input breaks a rule."""

    status = 422
    code = "invalid"


class Unauthorized(ClientError):
    """The server wants a valid API key: api_key, or ASSAY_API_KEY."""

    status = 401
    code = "unauthorized"


class Forbidden(ClientError):
    """This API key may not do this."""

    status = 403
    code = "forbidden"


class NotFound(ClientError):
    """There is nothing with this id, or nothing that this API key may see."""

    status = 404
    code = "not_found"


class Conflict(ClientError):
    """This clashes with what is there now."""

    status = 409
    code = "conflict"


class TooLarge(ClientError):
    """This is larger than the server takes."""

    status = 413
    code = "too_large"


class TooMany(ClientError):
    """Too many requests."""

    status = 429
    code = "too_many"


class ServerError(ClientError):
    """Something went wrong inside the server."""

    status = 500
    code = "internal"


class ServerUnavailable(ServerError):
    """The server does not answer."""

    status = 503
    code = "unavailable"


class Misconfigured(ClientError):
    """The client cannot start as it is set up."""

    code = "misconfigured"


class BrokenDownload(ClientError):
    """A file arrived otherwise than it was stored."""

    code = "broken_download"


class TimedOut(ClientError, TimeoutError):
    """What was waited for did not come in time."""

    code = "timed_out"


_OF_STATUS: dict[int, type[ClientError]] = {
    400: Invalid,
    502: ServerUnavailable,
    503: ServerUnavailable,
    504: ServerUnavailable,
    **{
        each.status: each
        for each in (Invalid, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, TooMany)
    },
}


def error_of(response: httpx2.Response, retry_after: float | None) -> ClientError:
    """What a response that is no success means.

    Args:
        response: its body is there.
        retry_after: the seconds of its header, if it has one.
    """
    status = response.status_code
    kind = _OF_STATUS.get(status, ServerError if status >= 500 else ClientError)
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        # From something in between, such as a proxy, or something that is not Assay at all.
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "?"
        place = response.request.url.copy_with(query=None)
        detail = f"{place} answered {status} ({phrase}), and not in the way Assay does"
        return kind(detail, status=status, retry_after=retry_after)
    return kind(
        problem.detail,
        errors=[FieldFault(**fault.model_dump()) for fault in problem.errors],
        status=status,
        code=problem.code,
        request_id=problem.request_id,
        retry_after=retry_after,
    )


def no_answer(fault: httpx2.RequestError, url: str) -> ServerUnavailable:
    """What it means that a request got no answer."""
    reason = str(fault) or type(fault).__name__
    error = ServerUnavailable(f"The server at {url} does not answer: {reason}", code="no_answer")
    error.__cause__ = fault
    return error


def not_understood(kind: type[BaseModel], fault: ValidationError) -> ClientError:
    """What it means that a success has not the form that this version of the client knows."""
    first = fault.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the whole"
    return ClientError(
        f"The server's {kind.__name__} has another form than this version of the client knows, "
        f"at {where}: {first['msg']}",
        code="not_understood",
    )
