"""`factuality`: a model holds the facts in an answer against those of a reference."""

from assay.grading.checks import Verdict
from assay.grading.judges.dialogue import Case, Dialogue, ask, told
from assay.grading.judges.material import as_text, briefing, prompt_of
from assay.grading.questions import AnswerForm

FORM = AnswerForm(
    "factuality",
    reason={"type": "string", "description": "how the facts compare, in one or two sentences"},
    category={"type": "string", "enum": ["A", "B", "C", "D", "E"]},
)
TASK = (
    "Compare the facts in the answer with those in the reference, which are taken to be true. "
    "Wording, style and length do not count. Choose one category:\n"
    "A: the answer states some of the reference's facts, and nothing against it;\n"
    "B: the answer states the reference's facts and more, and nothing against it;\n"
    "C: the answer states the same facts;\n"
    "D: the answer contradicts the reference;\n"
    "E: the answer differs in ways that do not matter for the facts."
)
IN_WORDS = (
    '{"reason": how the facts compare, in one or two sentences, '
    '"category": one of "A", "B", "C", "D" and "E"}'
)
CONTRADICTS = "D"
_MEANING = {
    "A": "states some of the facts of the reference",
    "B": "states the facts of the reference and more",
    "C": "states the same facts as the reference",
    "D": "contradicts the reference",
    "E": "differs from the reference in ways that do not matter",
}


def factuality(case: Case) -> Dialogue:
    """Passed unless the answer contradicts the value."""
    reference, prompt = as_text(case.value), prompt_of(case.answer)
    output = case.answer.output
    question = case.question(
        FORM,
        briefing(TASK, IN_WORDS, prompt=prompt, reference=reference, answer=output),
        answer={"completion": output, "output": output},
        ideal=reference,
        input=prompt or "",
    )
    found = yield from ask(question)
    category = found["category"]
    passed = category != CONTRADICTS
    reason = f"The answer {_MEANING[category]} ({category}). {found['reason']}"
    return Verdict(passed, 1.0 if passed else 0.0, told(reason))
