"""The one family of errors.

An error knows its HTTP status, a code that programs can match on, and its default
message, which is its docstring. Rooms derive their own from these::

    AssayError            500
    ├── Invalid           422  input that breaks a rule; `errors` names each place
    ├── Unauthorized      401  nobody is signed in, or what says so is not valid
    ├── Forbidden         403  signed in, but not allowed
    ├── NotFound          404  unknown, or not visible to the one who asks
    ├── Conflict          409  clashes with what is there now
    ├── TooLarge          413
    ├── TooMany           429  carries Retry-After
    ├── Unavailable       503  something Assay stands on does not answer
    └── SetupError        what keeps a command or server from starting (exit code 2)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import cleandoc


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One thing wrong with an input: the place (``items[3].input``) and what is wrong there.

    `pointer` is the place inside a JSON value as a JSON Pointer (RFC 6901), where there is one.
    """

    place: str
    message: str
    pointer: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class AssayError(Exception):
    """Something went wrong inside Assay."""

    status = 500
    code = "internal"

    def __init__(
        self, detail: str | None = None, *, errors: Sequence[FieldFault] | None = None
    ) -> None:
        """Take the message for the person who asked, and the faults with their places."""
        self.detail = detail or cleandoc(self.__class__.__doc__ or "").split("\n", 1)[0]
        self.errors = list(errors or ())
        super().__init__(self.detail)

    def __str__(self) -> str:
        return "; ".join([self.detail, *map(str, self.errors)])


class Invalid(AssayError):
    """The input breaks a rule."""

    status = 422
    code = "invalid"


class Unauthorized(AssayError):
    """Sign in first."""

    status = 401
    code = "unauthorized"


class Forbidden(AssayError):
    """You may not do this."""

    status = 403
    code = "forbidden"


class NotFound(AssayError):
    """There is nothing with this id."""

    status = 404
    code = "not_found"


class Conflict(AssayError):
    """This clashes with what is there now."""

    status = 409
    code = "conflict"


class TooLarge(AssayError):
    """The request body is larger than this server takes."""

    status = 413
    code = "too_large"


class TooMany(AssayError):
    """Too many requests; wait a little and try again."""

    status = 429
    code = "too_many"

    def __init__(self, detail: str | None = None, *, retry_after: float = 1.0) -> None:
        """`retry_after`: seconds until it makes sense to ask again."""
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(AssayError):
    """Something this server stands on does not answer; try again in a moment."""

    status = 503
    code = "unavailable"


class SetupError(AssayError):
    """Assay cannot start as it is set up."""

    code = "setup"
