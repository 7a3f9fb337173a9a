"""`answer-relevance`: whether an answer is about what was asked.

The method is that of RAGAS (S. Es et al., "RAGAS: Automated Evaluation of Retrieval Augmented
Generation", 2023), which promptfoo uses too: a model writes the questions that the answer answers,
and the score is how near these are to the one that was asked, by their embeddings.
"""

from assay.grading.checks import CheckFault
from assay.grading.judges.dialogue import Case, Dialogue, ask, share_verdict
from assay.grading.judges.material import briefing, prompt_of
from assay.grading.judges.vectors import cosine
from assay.grading.questions import AnswerForm, EmbeddingQuestion

DEFAULT_THRESHOLD = 0.5
QUESTIONS = 3
FORM = AnswerForm(
    "answer_relevance",
    questions={
        "type": "array",
        "items": {"type": "string"},
        "description": f"{QUESTIONS} questions that the answer answers",
    },
)
TASK = (
    f"Write {QUESTIONS} different questions, each one to which the whole answer would be the "
    "reply. Write them in the answer's language, as somebody would ask who does not know the "
    "answer."
)
IN_WORDS = f'{{"questions": a list of {QUESTIONS} questions}}'


def answer_relevance(case: Case) -> Dialogue:
    """Passed where the mean similarity of the questions to the prompt reaches the threshold."""
    given = case.variables.get("query")
    asked = given if isinstance(given, str) and given.strip() else prompt_of(case.answer)
    if not asked:
        raise CheckFault('answer-relevance needs a variable "query" of the item, or the prompt.')
    embedder = case.model("embedding")
    output = case.answer.output
    question = case.question(
        FORM, briefing(TASK, IN_WORDS, answer=output), answer={"answer": output, "output": output}
    )
    found = yield from ask(question)
    questions = [text for text in found["questions"] if text.strip()]
    if not questions:
        raise CheckFault("The judge wrote no question.")
    wanted, *near = yield from ask(EmbeddingQuestion(embedder, (asked,), tuple(questions)))
    score = sum(cosine(wanted, vector) for vector in near) / len(near)
    threshold = DEFAULT_THRESHOLD if case.threshold is None else case.threshold
    return share_verdict("relevance", score, threshold, f"It answers: {'; '.join(questions)}")
