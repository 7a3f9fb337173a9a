"""`context-relevance`: how much of the context is needed to answer the question."""

from assay.grading.judges.dialogue import Case, Dialogue, ask, share_verdict
from assay.grading.judges.material import (
    briefing,
    context_units,
    numbered,
    share_of,
    variable_text,
)
from assay.grading.questions import AnswerForm

NAME = "context-relevance"
DEFAULT_THRESHOLD = 0.5
FORM = AnswerForm(
    "context_relevance",
    reason={"type": "string", "description": "what decides, in one or two sentences"},
    relevant={
        "type": "array",
        "items": {"type": "integer"},
        "description": "the numbers of the pieces that are needed for the answer",
    },
)
TASK = (
    "The context is given in numbered pieces. Name those that are needed to answer the question; "
    "none, where it cannot be answered from them."
)
IN_WORDS = (
    '{"reason": what decides, in one or two sentences, '
    '"relevant": a list of the numbers that are needed}'
)


def context_relevance(case: Case) -> Dialogue:
    """Passed where the part of the context that is needed reaches the threshold."""
    units = context_units(case.variables, NAME)
    query = variable_text(case.variables, "query", NAME)
    pieces = numbered(units)
    question = case.question(
        FORM,
        briefing(TASK, IN_WORDS, context=pieces, question=query),
        answer={"context": pieces, "output": case.answer.output},
        query=query,
    )
    found = yield from ask(question)
    score = share_of(found["relevant"], units)
    threshold = DEFAULT_THRESHOLD if case.threshold is None else case.threshold
    return share_verdict("relevance of the context", score, threshold, found["reason"])
