"""What can come of a question instead of its answer.

::

    AssayError
    ├── NotAnswered
    │   ├── NoAnswer          the deadline passed, and the question has no default
    │   └── RequestCancelled  somebody took the request back
    ├── InvalidAnswer         conforms to the schema, but not to the type that was asked for
    ├── Refused               a person refused what was to be approved
    ├── ApprovalMismatch      the approval is one of something else
    └── ClientError           the call did not succeed, see `assay.client`
        └── StillPending      nobody has answered yet
"""

from collections.abc import Sequence

from assay.consults.requests.schemas import RequestRead
from assay.core.errors import AssayError, FieldFault


class NotAnswered(AssayError):
    """The request has come to its end without an answer.

    Attributes:
        request: how it ended.
    """

    code = "not_answered"

    def __init__(self, detail: str, request: RequestRead) -> None:
        """Take what happened, and the request."""
        super().__init__(detail)
        self.request = request


class NoAnswer(NotAnswered):
    """Nobody answered before the deadline."""

    code = "no_answer_in_time"


class RequestCancelled(NotAnswered):
    """The request was taken back."""

    code = "request_cancelled"


class InvalidAnswer(AssayError):
    """The answer conforms to its schema, but not to the type that was asked for.

    Attributes:
        request: with the answer as it was given.
    """

    code = "invalid_answer"

    def __init__(self, request: RequestRead, errors: Sequence[FieldFault]) -> None:
        """Take the request, and what is wrong with its answer."""
        detail = f"The answer to {request.title!r} is not what the program takes"
        super().__init__(detail, errors=errors)
        self.request = request


class Refused(AssayError):
    """What was to be approved was refused, so it was not done.

    Attributes:
        request: with the refusal.
        reason: what those who refused said, if they said something.
    """

    code = "refused"

    def __init__(self, request: RequestRead, reason: str | None, by: str) -> None:
        """Take the request, and who refused it for which reason."""
        said = f": {reason}" if reason else ", and gave no reason"
        super().__init__(f"{request.title!r} was refused by {by}{said}")
        self.request = request
        self.reason = reason


class ApprovalMismatch(AssayError):
    """The approval is one of something else, so it was not done."""

    code = "approval_mismatch"
