"""`llm-rubric`: a model decides whether an answer meets a rubric."""

from assay.grading.checks import Verdict
from assay.grading.judges.dialogue import Case, Dialogue, ask, reached, told
from assay.grading.judges.material import as_text, briefing
from assay.grading.questions import AnswerForm

FORM = AnswerForm(
    "llm_rubric",
    reason={"type": "string", "description": "what decides, in one or two sentences"},
    score={
        "type": "number",
        "description": "how far the rubric is met, from 0 (not at all) to 1 (fully)",
        "minimum": 0,
        "maximum": 1,
    },
    **{"pass": {"type": "boolean", "description": "whether the rubric is met"}},
)
TASK = (
    "Decide whether the answer meets the rubric. The rubric alone counts: do not reward or punish "
    "what it does not speak of. Where the answer does not show that a demand is met, it is not."
)
IN_WORDS = (
    '{"reason": what decides, in one or two sentences, "score": a number from 0 (the rubric is not '
    'met at all) to 1 (fully), "pass": true if the rubric is met, else false}'
)


def llm_rubric(case: Case) -> Dialogue:
    """Passed where the judge says so and, with a threshold, gives at least that score."""
    rubric = as_text(case.value)
    output = case.answer.output
    question = case.question(
        FORM,
        briefing(TASK, IN_WORDS, rubric=rubric, answer=output),
        answer={"output": output},
        rubric=rubric,
    )
    found = yield from ask(question)
    enough = case.threshold is None or reached(found["score"], case.threshold)
    reason = found["reason"]
    if found["pass"] and not enough:
        reason = f"The score {found['score']:g} is below the threshold {case.threshold:g}. {reason}"
    return Verdict(found["pass"] and enough, float(found["score"]), told(reason))
