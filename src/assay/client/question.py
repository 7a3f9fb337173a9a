"""A question to people, and how long its asker waits for the answer."""

from dataclasses import dataclass, field
from typing import Literal

from assay.client.errors import TimedOut
from assay.client.options import RequestOptions
from assay.consults.requests.schemas import RequestRead

AnyKind = Literal["approve", "choose", "text", "form"]


class StillPending(TimedOut):
    """Nobody has answered yet; the request stays open.

    Attributes:
        request: how it stands; with its id, or its idempotency key, the answer can be had later.
    """

    code = "still_pending"

    def __init__(self, request: RequestRead, seconds: float) -> None:
        """Take what was waited for, and how long."""
        self.request = request
        super().__init__(
            f"After {seconds:g} s there is no answer to {request.title!r} yet (request "
            f"{request.id}). Ask again with the same idempotency_key, or wait for that request."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        title: in a line.
        kind: of the answer.
        options: of the request.
        key: with the same one a question that is asked again is the one of the first time.
        timeout: seconds to wait; None for as long as it takes.
        cancel_on_exit: take the request back where the wait ends without an answer.
    """

    title: str
    kind: AnyKind
    options: RequestOptions = field(default_factory=RequestOptions)
    key: str | None = None
    timeout: float | None = None
    cancel_on_exit: bool = False
