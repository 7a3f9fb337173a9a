"""What came of a request to people, as a finding that an answer can be graded with."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.grading.questions import Finding
from assay.identity.actor import LOCAL_USER

_NAMES = {LOCAL_USER: "the person at this server"}
_ERRORS = {
    "expired": "Nobody answered in time.",
    "cancelled": "The request to people was cancelled.",
}


def finding_of(outcome: Mapping[str, Any]) -> Finding:
    """What people said.

    Args:
        outcome: `status` (answered, expired or cancelled), `response`, `decided_by` and
            `answers`, as in the parameters of the job that `CellQuestion.wakes`.
    """
    if outcome["status"] != "answered":
        return Finding(None, error=_ERRORS[outcome["status"]])
    approved = outcome["response"]["approved"]
    if outcome["decided_by"] == "default":
        return _said(approved, "Nobody answered in time.", [])
    agreed = [each for each in outcome["answers"] if each["value"].get("approved") == approved]
    return _said(approved, _comments(outcome["answers"]), [_name(each) for each in agreed])


def _said(approved: bool, reason: str | None, by: Sequence[str]) -> Finding:
    return Finding(None, {"approved": approved, "reason": reason, "by": list(by)})


def _comments(answers: Sequence[Mapping[str, Any]]) -> str | None:
    """What they had to say; with names where several answered."""
    commented = [each for each in answers if each["comment"]]
    if len(answers) == 1:
        return commented[0]["comment"] if commented else None
    return " ".join(f"{_name(each)}: {each['comment']}" for each in commented) or None


def _name(answer: Mapping[str, Any]) -> str:
    name: str = answer["by"]
    return _NAMES.get(name, name)
