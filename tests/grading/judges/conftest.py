"""Judges that answer by a script, without a gateway between."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from assay.grading.assertions import compile_assertions
from assay.grading.questions import (
    EmbeddingQuestion,
    Finding,
    JudgeModel,
    JudgeQuestion,
    Judges,
    Question,
)
from assay.grading.results import Answer, GradedAssertion

JUDGES = Judges(JudgeModel("test/judge"), JudgeModel("test/embedder"))
PROMPT = [{"role": "user", "content": "What is the capital of France?"}]


class Bench:
    """Grades one assertion with scripted judges, and keeps what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def __call__(
        self,
        assertion: dict[str, Any],
        answers: Sequence[Any] = (),
        *,
        output: str = "Paris.",
        prompt: Sequence[dict[str, Any]] = PROMPT,
        vector: Callable[[str], Sequence[float]] | None = None,
        **variables: object,
    ) -> GradedAssertion:
        """`answers`: of the judges in turn, objects or an error's text; `vector`: embeds."""
        grader = compile_assertions([assertion], judges=JUDGES)
        assert grader.asks
        answer = Answer(output, messages=prompt)
        script = iter(answers)
        findings: dict[bytes, Finding] = {}
        while questions := grader.questions(answer, variables, findings):
            assert not findings.keys() & {question.key for question in questions}
            for question in questions:
                findings[question.key] = self._find(question, script, vector)
                self.asked.append(question)
        [entry] = grader.grade(answer, variables, findings).entries
        return entry

    def _find(self, question: Question, script: Any, vector: Any) -> Finding:
        name = question.model.name
        if isinstance(question, EmbeddingQuestion):
            vectors = [vector(text) for text in (*question.expected, *question.texts)]
            return Finding(name, vectors, None, 3, 0, 0.001)
        given = next(script)
        if isinstance(given, str):
            return Finding(name, None, given, 10, 0, 0.01)
        return Finding(name, given, None, 10, 5, 0.01)

    def conversation(self, index: int = -1) -> str:
        """What a judge was told, as one text."""
        question = self.asked[index]
        assert isinstance(question, JudgeQuestion)
        return "\n".join(message["content"] for message in question.messages)


@pytest.fixture
def bench() -> Bench:
    return Bench()
