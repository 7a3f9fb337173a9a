"""Programs ask people: `ask`, `approve`, `choose`, `form`, and `require_approval`.

Each has a twin for event loops, named with `_async`. For agents of pydantic-ai there is
`assay.asking.pydantic_ai`.
"""

from assay.asking.approvals import require_approval
from assay.asking.decisions import Approval, Decision
from assay.asking.errors import (
    ApprovalMismatch,
    InvalidAnswer,
    NoAnswer,
    NotAnswered,
    Refused,
    RequestCancelled,
)
from assay.asking.event_loop import approve_async, ask_async, choose_async, form_async
from assay.asking.options import AnyAskOptions, AskOptions
from assay.asking.threads import approve, ask, choose, form
from assay.client.question import StillPending

__all__ = [
    "AnyAskOptions",
    "Approval",
    "ApprovalMismatch",
    "AskOptions",
    "Decision",
    "InvalidAnswer",
    "NoAnswer",
    "NotAnswered",
    "Refused",
    "RequestCancelled",
    "StillPending",
    "approve",
    "approve_async",
    "ask",
    "ask_async",
    "choose",
    "choose_async",
    "form",
    "form_async",
    "require_approval",
]
