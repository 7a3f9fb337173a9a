"""`model-graded-closedqa`: a model says yes or no to one criterion."""

from assay.grading.checks import Verdict
from assay.grading.judges.dialogue import Case, Dialogue, ask, told
from assay.grading.judges.material import as_text, briefing, prompt_of
from assay.grading.questions import AnswerForm

FORM = AnswerForm(
    "closed_qa",
    reason={"type": "string", "description": "what decides, in one or two sentences"},
    meets={"type": "boolean", "description": "whether the answer meets the criterion"},
)
TASK = (
    "A model was given the prompt and gave the answer. Decide whether the answer meets the "
    "criterion: yes or no, nothing between. Nothing but the criterion counts."
)
IN_WORDS = (
    '{"reason": what decides, in one or two sentences, "meets": true if the answer meets the '
    "criterion, else false}"
)


def closed_qa(case: Case) -> Dialogue:
    """Passed where the judge says that the criterion is met."""
    criteria, prompt = as_text(case.value), prompt_of(case.answer)
    output = case.answer.output
    question = case.question(
        FORM,
        briefing(TASK, IN_WORDS, criterion=criteria, prompt=prompt, answer=output),
        answer={"completion": output, "output": output},
        criteria=criteria,
        input=prompt or "",
    )
    found = yield from ask(question)
    return Verdict(found["meets"], 1.0 if found["meets"] else 0.0, told(found["reason"]))
