"""A compiled assertion that asks models."""

from collections.abc import Iterable, Mapping

from assay.core.templates import TemplateFault
from assay.grading.checks import CheckFault, Spec, Verdict
from assay.grading.grader import Label, asked_in_all
from assay.grading.judges.dialogue import Case, JudgedType
from assay.grading.judges.own_prompt import OwnPrompt
from assay.grading.questions import Finding, Findings, Judges, PersonQuestion, Question
from assay.grading.results import Answer, GradedAssertion
from assay.grading.values import Render


class JudgedAssertion:
    """An assertion of a judged type; what its judge cannot decide is an error, never a pass."""

    __slots__ = ("_judged", "_judges", "_label", "_prompt", "_render", "_spec")

    asks = True
    asks_people = False

    def __init__(
        self,
        label: Label,
        judged: JudgedType,
        spec: Spec,
        render: Render | None,
        judges: Judges,
        prompt: OwnPrompt | None,
    ) -> None:
        """`render` fills in the value's templates, where it has any."""
        self._label = label
        self._judged = judged
        self._spec = spec
        self._render = render
        self._judges = judges
        self._prompt = prompt

    def questions(
        self, answer: Answer, variables: Mapping[str, object], findings: Findings
    ) -> Iterable[Question]:
        """What it has to ask next; nothing once it can grade, or cannot go on."""
        try:
            outcome = self._go(answer, variables, findings, [])
        except (CheckFault, TemplateFault, ValueError, RecursionError):
            return ()
        return () if isinstance(outcome, Verdict) else outcome

    def people(self, _answer: Answer, _variables: Mapping[str, object]) -> Iterable[PersonQuestion]:
        """Nothing: models decide."""
        return ()

    def grade(
        self, answer: Answer, variables: Mapping[str, object], findings: Findings
    ) -> GradedAssertion:
        """Grade an answer with what was found."""
        used: list[Finding] = []
        try:
            outcome = self._go(answer, variables, findings, used)
            if isinstance(outcome, Verdict):
                graded = self._label.graded(outcome, variables)
            else:
                graded = self._label.failed("The judge was not asked.", variables)
        except CheckFault as fault:
            graded = self._label.failed(str(fault), variables)
        except TemplateFault as fault:
            graded = self._label.failed(f"The value cannot be filled in. {fault.detail}", variables)
        except (ValueError, RecursionError) as error:
            graded = self._label.failed(f"This cannot be decided: {error}.", variables)
        if used:
            graded.judge = asked_in_all(used)
        return graded

    def _go(
        self,
        answer: Answer,
        variables: Mapping[str, object],
        findings: Findings,
        used: list[Finding],
    ) -> Verdict | list[Question]:
        """The verdict, or what has to be asked first; notes in `used` what it was built on."""
        dialogue = self._judged.judge(self._case(answer, variables))
        try:
            questions = next(dialogue)
            while True:
                if missing := [each for each in questions if each.key not in findings]:
                    return missing
                found = [findings[each.key] for each in questions]
                used.extend(found)
                questions = dialogue.send(found)
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict

    def _case(self, answer: Answer, variables: Mapping[str, object]) -> Case:
        value = self._spec.value
        if self._render is not None:
            value = self._render({**variables, "output": answer.output})
        return Case(answer, variables, value, self._spec.threshold, self._judges, self._prompt)
