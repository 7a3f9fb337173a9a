"""What judged types of assertions are made of."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue

from assay.grading.checks import CheckFault, Kind, Verdict
from assay.grading.judges.own_prompt import OwnPrompt
from assay.grading.questions import (
    AnswerForm,
    Finding,
    JudgeModel,
    JudgeQuestion,
    Judges,
    Message,
    Question,
)
from assay.grading.results import Answer

Dialogue = Generator[Sequence[Question], Sequence[Finding], Verdict]
"""Yields questions that can be asked side by side, gets a finding for each, gives the verdict."""

Role = Literal["text", "embedding"]
"""What a judge is asked for: an answer in words, or embeddings."""

TOLERANCE = 1e-9
_LONGEST_REASON = 4000


@dataclass(frozen=True, slots=True)
class Case:
    """An answer in front of its judges.

    Attributes:
        answer: what is judged.
        variables: of the item.
        value: of the assertion, its templates filled in.
        threshold: of the assertion.
        judges: whom to ask.
        prompt: the author's own, in place of the one that comes with the type.
    """

    answer: Answer
    variables: Mapping[str, object]
    value: JsonValue
    threshold: float | None
    judges: Judges
    prompt: OwnPrompt | None = None

    def question(
        self,
        form: AnswerForm,
        standard: Sequence[Message],
        *,
        answer: Mapping[str, object],
        **names: object,
    ) -> JudgeQuestion:
        """A question in the author's own words, or in the standard ones.

        Args:
            form: how to answer.
            standard: the messages where the author has no prompt.
            answer: the names under which a prompt of the author finds the answer.
            **names: other names, which a variable of the item can take the place of.
        """
        messages = standard
        if self.prompt is not None:
            messages = self.prompt.render({**names, **self.variables, **answer})
        return JudgeQuestion(self.model("text"), messages, form)

    def model(self, role: Role) -> JudgeModel:
        """Whom to ask.

        Raises:
            CheckFault: nobody is named.
        """
        model = self.judges.text if role == "text" else self.judges.embedding
        if model is None:
            raise CheckFault("No judge is named for this.", "provider")
        return model


def ask(question: Question) -> Generator[Sequence[Question], Sequence[Finding], Any]:
    """Ask one question and give the value that was found."""
    [finding] = yield [question]
    return value_of(finding)


def value_of(finding: Finding) -> Any:
    """What was found.

    Raises:
        CheckFault: the judge failed.
    """
    if finding.error is not None:
        raise CheckFault(finding.error)
    return finding.value


def reached(score: float, threshold: float) -> bool:
    """Whether a score is enough, in spite of rounding."""
    return score >= threshold - TOLERANCE


def share_verdict(name: str, score: float, threshold: float, detail: str = "") -> Verdict:
    """The verdict on a score from 0 to 1; `name` is what it measures."""
    passed = reached(score, threshold)
    comparison = "reaches" if passed else "is below"
    reason = f"The {name} {score:.2f} {comparison} the threshold {threshold:g}."
    return Verdict(passed, min(1.0, max(0.0, score)), told(f"{reason} {detail}".strip()))


def told(reason: str) -> str:
    """A judge's words as a reason that can be stored."""
    text = reason.strip().replace("\x00", "\N{REPLACEMENT CHARACTER}") or "No reason was given."
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"


@dataclass(frozen=True, slots=True)
class JudgedType:
    """A type of assertion that asks models.

    Attributes:
        judge: how it comes to a verdict.
        kinds: the kinds of value it takes; none where it takes no value.
        asks: what it needs judges for.
        value: whether it needs a value; "or prompt" does without where it has a prompt.
        most: the largest threshold.
        threshold: whether it takes one.
    """

    judge: Callable[[Case], Dialogue]
    kinds: frozenset[Kind]
    asks: tuple[Role, ...] = ("text",)
    value: Literal["needed", "or prompt"] = "needed"
    threshold: bool = True
    most: float | None = 1.0

    @property
    def takes_prompt(self) -> bool:
        """Whether it takes a prompt of the author's own."""
        return "text" in self.asks
