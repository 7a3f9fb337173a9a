"""`context-faithfulness`: whether what an answer states can be found in the context."""

from assay.grading.checks import CheckFault
from assay.grading.judges.dialogue import Case, Dialogue, ask, share_verdict
from assay.grading.judges.material import briefing, context_units, variable_text
from assay.grading.questions import AnswerForm

NAME = "context-faithfulness"
DEFAULT_THRESHOLD = 0.5
FORM = AnswerForm(
    "context_faithfulness",
    statements={
        "type": "array",
        "description": "every statement that the answer makes",
        "items": {
            "type": "object",
            "properties": {
                "statement": {"type": "string"},
                "reason": {"type": "string"},
                "supported": {"type": "boolean"},
            },
            "required": ["statement", "reason", "supported"],
            "additionalProperties": False,
        },
    },
)
TASK = (
    "Take the answer apart into the single statements it makes, each understandable by itself. "
    "For each one say whether the context supports it: whether it is stated there or follows from "
    "what is stated there. What you know from elsewhere does not count, even if it is true."
)
IN_WORDS = (
    '{"statements": a list with {"statement": the statement, "reason": what in the context '
    'decides, in a few words, "supported": true or false} for each statement}'
)
_SHOWN = 3


def context_faithfulness(case: Case) -> Dialogue:
    """Passed where the part of the statements that the context supports reaches the threshold."""
    context = "\n\n".join(context_units(case.variables, NAME))
    query = variable_text(case.variables, "query", NAME)
    output = case.answer.output
    question = case.question(
        FORM,
        briefing(TASK, IN_WORDS, context=context, question=query, answer=output),
        answer={"answer": output, "output": output, "context": context},
        question=query,
    )
    statements = (yield from ask(question))["statements"]
    if not statements:
        raise CheckFault("The judge found no statement in the answer.")
    unsupported = [each["statement"] for each in statements if not each["supported"]]
    score = 1 - len(unsupported) / len(statements)
    threshold = DEFAULT_THRESHOLD if case.threshold is None else case.threshold
    detail = "; ".join(unsupported[:_SHOWN])
    return share_verdict(
        "faithfulness", score, threshold, f"Not in the context: {detail}" if detail else ""
    )
