"""`context-recall`: whether the context holds what is needed for the expected answer."""

from assay.grading.checks import CheckFault
from assay.grading.judges.dialogue import Case, Dialogue, ask, share_verdict
from assay.grading.judges.material import (
    as_text,
    briefing,
    context_units,
    numbered,
    share_of,
    units_of,
)
from assay.grading.questions import AnswerForm

NAME = "context-recall"
DEFAULT_THRESHOLD = 0.5
FORM = AnswerForm(
    "context_recall",
    reason={"type": "string", "description": "which are missing, in one or two sentences"},
    attributed={
        "type": "array",
        "items": {"type": "integer"},
        "description": "the numbers of the pieces that the context supports",
    },
)
TASK = (
    "The expected answer is given in numbered pieces. Name those that the context supports: what "
    "they say is stated there or follows from what is stated there. What you know from elsewhere "
    "does not count."
)
IN_WORDS = (
    '{"reason": what is missing in the context, in one or two sentences, '
    '"attributed": a list of the numbers that the context supports}'
)


def context_recall(case: Case) -> Dialogue:
    """Passed where the part of the value that the context supports reaches the threshold."""
    units = units_of(as_text(case.value))
    if not units:
        raise CheckFault("The value is empty, and nothing could be missing.")
    context = "\n\n".join(context_units(case.variables, NAME))
    expected = numbered(units)
    question = case.question(
        FORM,
        briefing(TASK, IN_WORDS, context=context, expected=expected),
        answer={"context": context, "groundTruth": expected, "output": case.answer.output},
    )
    found = yield from ask(question)
    score = share_of(found["attributed"], units)
    threshold = DEFAULT_THRESHOLD if case.threshold is None else case.threshold
    return share_verdict("recall", score, threshold, found["reason"])
