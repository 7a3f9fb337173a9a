"""`human`: a person looks at an answer and says yes or no."""

from collections.abc import Iterable, Mapping, Sequence

from assay.core.templates import TemplateFault
from assay.grading.checks import CheckFault, Verdict
from assay.grading.grader import Label
from assay.grading.judges.dialogue import told, value_of
from assay.grading.judges.material import as_text
from assay.grading.questions import Finding, Findings, PersonOptions, PersonQuestion, Question
from assay.grading.results import Answer, GradedAssertion
from assay.grading.values import Render


class HumanAssertion:
    """An assertion that people decide; what nobody decided is an error, never a pass."""

    __slots__ = ("_label", "_options", "_render", "_text")

    asks = False
    asks_people = True

    def __init__(
        self, label: Label, text: str, render: Render | None, options: PersonOptions
    ) -> None:
        """`text` is what is asked; `render` fills in its templates, where it has any."""
        self._label = label
        self._text = text
        self._render = render
        self._options = options

    def questions(
        self, _answer: Answer, _variables: Mapping[str, object], _findings: Findings
    ) -> Iterable[Question]:
        """Nothing: it asks no model."""
        return ()

    def people(self, answer: Answer, variables: Mapping[str, object]) -> Iterable[PersonQuestion]:
        """Its question; none where that cannot be filled in."""
        try:
            return [self._question(answer, variables)]
        except (CheckFault, TemplateFault):
            return ()

    def grade(
        self, answer: Answer, variables: Mapping[str, object], findings: Findings
    ) -> GradedAssertion:
        """Grade an answer with what people said."""
        try:
            found = findings.get(self._question(answer, variables).key)
            if found is None:
                return self._label.failed("Nobody was asked.", variables)
            return self._label.graded(_verdict(found), variables)
        except CheckFault as fault:
            return self._label.failed(str(fault), variables)
        except TemplateFault as fault:
            return self._label.failed(f"The value cannot be filled in. {fault.detail}", variables)

    def _question(self, answer: Answer, variables: Mapping[str, object]) -> PersonQuestion:
        text = self._text
        if self._render is not None:
            text = as_text(self._render({**variables, "output": answer.output}))
        if not text.strip():
            raise CheckFault("There is nothing to ask: the value is empty.")
        return PersonQuestion(text, self._options)


def _verdict(found: Finding) -> Verdict:
    said = value_of(found)
    approved = said["approved"]
    word = "Yes" if approved else "No"
    who = f"said {_listed(said['by'])}" if said["by"] else "by default"
    reason = f"{word}, {who}: {said['reason']}" if said["reason"] else f"{word}, {who}."
    return Verdict(approved, 1.0 if approved else 0.0, told(reason))


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
