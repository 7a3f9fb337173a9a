"""`g-eval`: a model makes steps of the criteria, and then grades by them.

Y. Liu et al., "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment", 2023. As in
promptfoo the grade is one number from 0 to 10, not weighted by the probabilities of its tokens.
"""

from collections.abc import Sequence

from assay.grading.checks import TEXT, CheckFault, Verdict, kind_of
from assay.grading.judges.dialogue import Case, Dialogue, reached, told, value_of
from assay.grading.judges.material import as_text, briefing, prompt_of
from assay.grading.questions import AnswerForm, JudgeQuestion

DEFAULT_THRESHOLD = 0.7
MAX_SCORE = 10
STEPS = AnswerForm(
    "g_eval_steps",
    steps={
        "type": "array",
        "items": {"type": "string"},
        "description": "three or four steps by which to grade an answer",
    },
)
GRADE = AnswerForm(
    "g_eval",
    reason={"type": "string", "description": "what the steps found, in two or three sentences"},
    score={
        "type": "number",
        "description": f"from 0 (the criteria are not met at all) to {MAX_SCORE} (fully)",
        "minimum": 0,
        "maximum": MAX_SCORE,
    },
)
STEPS_TASK = (
    "Turn the criteria into three or four steps that somebody can follow, one after the other, to "
    "grade an answer that a model gave to a prompt. Each step says what to look at and what to "
    "look for. Add no criteria of your own."
)
GRADE_TASK = (
    "Grade the answer that a model gave to the prompt. Go through the steps one by one; the "
    "criteria alone count."
)
STEPS_IN_WORDS = '{"steps": a list of three or four steps}'
GRADE_IN_WORDS = (
    '{"reason": what the steps found, in two or three sentences, "score": a number from 0 (the '
    f"criteria are not met at all) to {MAX_SCORE} (fully)}}"
)


def g_eval(case: Case) -> Dialogue:
    """Passed where the grade, or the mean of those for several criteria, reaches the threshold."""
    criteria = _criteria(case)
    judge = case.model("text")
    planned = yield [
        JudgeQuestion(
            judge, briefing(STEPS_TASK, STEPS_IN_WORDS, criteria=each), STEPS, lasting=True
        )
        for each in criteria
    ]
    plans = [value_of(finding)["steps"] for finding in planned]
    if not all(plans):
        raise CheckFault("The judge made no steps of the criteria.")
    graded = yield [_grade(case, *each) for each in zip(criteria, plans, strict=True)]
    grades = [value_of(finding) for finding in graded]
    score = sum(grade["score"] for grade in grades) / len(grades) / MAX_SCORE
    threshold = DEFAULT_THRESHOLD if case.threshold is None else case.threshold
    reason = "\n\n".join(grade["reason"] for grade in grades)
    return Verdict(reached(score, threshold), score, told(reason))


def _grade(case: Case, criteria: str, steps: Sequence[str]) -> JudgeQuestion:
    listed = "\n".join(f"- {step}" for step in steps)
    prompt, output = prompt_of(case.answer), case.answer.output
    return case.question(
        GRADE,
        briefing(
            GRADE_TASK,
            GRADE_IN_WORDS,
            criteria=criteria,
            steps=listed,
            prompt=prompt,
            answer=output,
        ),
        answer={"output": output},
        criteria=criteria,
        steps=listed,
        maxScore=MAX_SCORE,
        input=prompt or "",
    )


def _criteria(case: Case) -> list[str]:
    given = case.value if isinstance(case.value, list) else [case.value]
    for index, each in enumerate(given):
        if kind_of(each) not in TEXT or not as_text(each).strip():
            raise CheckFault("This must be text that is not empty.", f"value[{index}]")
    if not given:
        raise CheckFault("The list of criteria is empty.")
    return [as_text(each) for each in given]
