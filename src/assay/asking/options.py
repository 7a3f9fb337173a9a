"""Options of questions; what each means is said with the API's own fields."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, cast
from uuid import UUID

from assay.client.options import Json, RequestOptions
from assay.client.question import AnyKind, Question


class AskOptions(TypedDict, total=False):
    """How people are asked, and how long they are waited for.

    Attributes:
        idempotency_key: a program that is started again and asks with the same key finds the
            request that it made before, and its answer. Everything else has to be the same too:
            say `deadline_in` rather than `deadline`.
        timeout: seconds to wait; without it, for as long as it takes.
        cancel_on_exit: take the request back where the wait ends without an answer: at the
            timeout, by Ctrl-C, or with the task; otherwise it stays, to be found again.
    """

    idempotency_key: str
    timeout: float | None
    cancel_on_exit: bool
    description: str
    context: Json
    metadata: Json
    priority: Literal["low", "medium", "high", "urgent"]
    project_id: UUID | str
    agent_id: str
    assignees: Sequence[str]
    assignee_role: Literal["reviewer", "editor", "admin"]
    quorum: int
    rule: Literal["first", "majority", "unanimous"]
    deadline: datetime
    deadline_in: float
    default_response: Any
    escalate_after: float
    escalate_to: Sequence[str]
    escalate_to_role: Literal["reviewer", "editor", "admin"]
    callback_url: str
    callback_secret: str


class AnyAskOptions(AskOptions, total=False):
    """As `AskOptions`, with what belongs to some kinds of questions."""

    options: Sequence[str | Json]
    response_schema: Json
    edits_schema: Json
    subject_hash: str


_LONGEST_KEY = 255
_OF_THE_WAIT = {"idempotency_key", "timeout", "cancel_on_exit"}


def question(title: str, kind: AnyKind, options: Mapping[str, Any], /, **more: Any) -> Question:
    """The question that options make.

    Args:
        title: what is asked.
        kind: what an answer is.
        options: as the caller gave them.
        more: of the request, which win over `options`.
    """
    asked = {name: value for name, value in options.items() if name not in _OF_THE_WAIT}
    return Question(
        title=title,
        kind=kind,
        options=cast("RequestOptions", {**asked, **more}),
        key=_sendable(options.get("idempotency_key")),
        timeout=options.get("timeout"),
        cancel_on_exit=options.get("cancel_on_exit", False),
    )


def _sendable(key: str | None) -> str | None:
    """A key as a header can have it; one that is too long or of other characters by its hash."""
    if key is None or (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
