"""What people said, in the words that stand in a result."""

from typing import Any

import pytest

from assay.playground.runs.waiting.outcomes import finding_of


def answer(by: str, approved: bool, comment: str | None = None) -> dict[str, Any]:
    return {"by": by, "value": {"approved": approved}, "comment": comment}


def decided(approved: bool, *answers: dict[str, Any], by: str = "reviewers") -> dict[str, Any]:
    response = {"approved": approved}
    return {"status": "answered", "response": response, "decided_by": by, "answers": answers}


@pytest.mark.parametrize(
    ("outcome", "approved", "by", "reason"),
    [
        (decided(True, answer("Ada", True, "Nice.")), True, ["Ada"], "Nice."),
        (decided(False, answer("Ada", False)), False, ["Ada"], None),
        (decided(True, answer("default", True)), True, ["the person at this server"], None),
        (
            decided(True, answer("Ada", True), answer("Bob", False, "Rude."), answer("Cy", True)),
            True,
            ["Ada", "Cy"],
            "Bob: Rude.",
        ),
        (
            decided(False, answer("Ada", True, "Well."), by="default"),
            False,
            [],
            "Nobody answered in time.",
        ),
    ],
)
def test_a_decision(
    outcome: dict[str, Any], approved: bool, by: list[str], reason: str | None
) -> None:
    found = finding_of(outcome)
    assert found.value == {"approved": approved, "by": by, "reason": reason}
    assert (found.model, found.error) == (None, None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("expired", "Nobody answered in time."),
        ("cancelled", "The request to people was cancelled."),
    ],
)
def test_without_a_decision_it_is_an_error(status: str, error: str) -> None:
    outcome: dict[str, Any] = {
        "status": status,
        "response": None,
        "decided_by": None,
        "answers": [],
    }
    found = finding_of(outcome)
    assert (found.value, found.error) == (None, error)
