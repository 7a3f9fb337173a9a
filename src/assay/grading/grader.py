"""Compiled assertions, and how their grades add up.

As in promptfoo, the score of a cell is the weighted mean of the scores of its assertions, and
the cell passes when every assertion passes, or, with a threshold, when the score reaches it.
An assertion of weight 0 is measured but decides nothing.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from assay.core.templates import Template, TemplateFault
from assay.grading.checks import CheckFault, Spec, Test, Verdict
from assay.grading.questions import NO_FINDINGS, Finding, Findings, PersonQuestion, Question
from assay.grading.results import Answer, Asked, GradedAssertion, Grading
from assay.grading.values import Render

_TOLERANCE = 1e-9


class Entry(Protocol):
    """One compiled assertion or set of assertions."""

    @property
    def asks(self) -> bool:
        """Whether it asks models."""
        ...

    @property
    def asks_people(self) -> bool:
        """Whether it asks people."""
        ...

    def questions(
        self, answer: Answer, variables: Mapping[str, object], findings: Findings
    ) -> Iterable[Question]:
        """What to ask models now, with what was found already."""

    def people(self, answer: Answer, variables: Mapping[str, object]) -> Iterable[PersonQuestion]:
        """What to ask people."""

    def grade(
        self, answer: Answer, variables: Mapping[str, object], findings: Findings
    ) -> GradedAssertion:
        """Grade an answer; never raises."""


class Label:
    """What a compiled assertion and its grades carry: type, weight and the metric's name."""

    __slots__ = ("_metric", "_metric_template", "negated", "type", "weight")

    def __init__(self, type_: str, negated: bool, weight: float, metric: Template | None) -> None:
        self.type = type_
        self.negated = negated
        self.weight = weight
        self._metric = metric.text if metric else None
        self._metric_template = None if metric is None or metric.is_static else metric

    def metric(self, variables: Mapping[str, object]) -> str | None:
        """The metric's name for an item; as written where a variable for it is missing."""
        if self._metric_template is None:
            return self._metric
        try:
            return self._metric_template.render(variables)
        except TemplateFault:
            return self._metric

    def graded(
        self,
        verdict: Verdict,
        variables: Mapping[str, object],
        parts: list[GradedAssertion] | None = None,
    ) -> GradedAssertion:
        """The grade from what was found, turned round where the type is negated."""
        passed, score, reason = verdict
        if self.negated:
            passed, score = not passed, 1.0 - score
        return GradedAssertion(
            self.type,
            passed or not self.weight,
            score,
            reason,
            self.weight,
            self.metric(variables),
            False,
            parts,
        )

    def failed(
        self,
        reason: str,
        variables: Mapping[str, object],
        parts: list[GradedAssertion] | None = None,
    ) -> GradedAssertion:
        """The grade where nothing could be found out: an error, negated or not."""
        return GradedAssertion(
            self.type, False, 0.0, reason, self.weight, self.metric(variables), True, parts
        )


class CompiledAssertion:
    """An assertion of one type, its test prepared already if its value has no templates."""

    __slots__ = ("_label", "_prepare", "_render", "_test", "_threshold")

    def __init__(
        self, label: Label, prepare: Callable[[Spec], Test], spec: Spec, render: Render | None
    ) -> None:
        self._label = label
        self._prepare = prepare
        self._render = render
        self._threshold = spec.threshold
        self._test = prepare(spec) if render is None else None

    asks = False
    asks_people = False

    def questions(
        self, _answer: Answer, _variables: Mapping[str, object], _findings: Findings
    ) -> Iterable[Question]:
        """Nothing: it decides by itself."""
        return ()

    def people(self, _answer: Answer, _variables: Mapping[str, object]) -> Iterable[PersonQuestion]:
        """Nothing: it decides by itself."""
        return ()

    def grade(
        self, answer: Answer, variables: Mapping[str, object], _findings: Findings
    ) -> GradedAssertion:
        """Grade an answer; what cannot be decided becomes an entry with `error`."""
        try:
            test = self._test or self._prepared(variables)
            return self._label.graded(test(answer), variables)
        except CheckFault as fault:
            return self._label.failed(str(fault), variables)
        except TemplateFault as fault:
            return self._label.failed(f"The value cannot be filled in. {fault.detail}", variables)
        except (ValueError, RecursionError) as error:
            return self._label.failed(f"This cannot be decided: {error}.", variables)

    def _prepared(self, variables: Mapping[str, object]) -> Test:
        value = self._render(variables) if self._render else None
        return self._prepare(Spec(value, self._threshold))


class CompiledSet:
    """An `assert-set`: passes when all in it pass, or when its score reaches its threshold."""

    __slots__ = ("_entries", "_label", "_threshold", "asks", "asks_people")

    def __init__(self, label: Label, entries: Sequence[Entry], threshold: float | None) -> None:
        self._label = label
        self._entries = list(entries)
        self._threshold = threshold
        self.asks = any(entry.asks for entry in self._entries)
        self.asks_people = any(entry.asks_people for entry in self._entries)

    def questions(
        self, answer: Answer, variables: Mapping[str, object], findings: Findings
    ) -> Iterable[Question]:
        """What its assertions ask."""
        return _questions(self._entries, answer, variables, findings)

    def people(self, answer: Answer, variables: Mapping[str, object]) -> Iterable[PersonQuestion]:
        """What its assertions ask people."""
        return _people(self._entries, answer, variables)

    def grade(
        self, answer: Answer, variables: Mapping[str, object], findings: Findings
    ) -> GradedAssertion:
        """Grade an answer with each assertion of the set."""
        parts = [entry.grade(answer, variables, findings) for entry in self._entries]
        verdict = tally(parts, self._threshold)
        if not verdict.passed and any(part.error and part.weight for part in parts):
            return self._label.failed(verdict.reason, variables, parts)
        return self._label.graded(verdict, variables, parts)


class Grader:
    """All assertions of a run or a test, compiled; use one for any number of answers.

    Attributes:
        asks: Some of them ask models, so that `questions` has to be called before `grade`.
        asks_people: Some of them ask people, so that `people` has to be called before `grade`.
    """

    __slots__ = ("_entries", "_threshold", "asks", "asks_people")

    def __init__(self, entries: Sequence[Entry], threshold: float | None = None) -> None:
        self._entries = list(entries)
        self._threshold = threshold
        self.asks = any(entry.asks for entry in self._entries)
        self.asks_people = any(entry.asks_people for entry in self._entries)

    def questions(
        self,
        answer: Answer,
        variables: Mapping[str, object],
        findings: Findings = NO_FINDINGS,
    ) -> list[Question]:
        """What models have to be asked about an answer now, each question once.

        Ask them all side by side, add what is found, and call this again until nothing is left:
        what some assertions ask depends on what was found before.

        Args:
            answer: The model's answer.
            variables: The item's variables by name.
            findings: What was found so far.
        """
        if not self.asks:
            return []
        asked = _questions(self._entries, answer, variables, findings)
        return list({question.key: question for question in asked}.values())

    def people(self, answer: Answer, variables: Mapping[str, object]) -> list[PersonQuestion]:
        """What people have to be asked about an answer, each question once.

        Args:
            answer: The model's answer.
            variables: The item's variables by name.
        """
        if not self.asks_people:
            return []
        asked = _people(self._entries, answer, variables)
        return list({question.key: question for question in asked}.values())

    def grade(
        self,
        answer: Answer,
        variables: Mapping[str, object],
        findings: Findings = NO_FINDINGS,
    ) -> Grading:
        """Grade one answer.

        Args:
            answer: The model's answer with its latency and cost.
            variables: The item's variables by name, for values that are templates.
            findings: What came of `questions` and `people`; what was not asked ends in an error.

        Returns:
            The grading; never raises for what is in the answer or the variables.
        """
        entries = [entry.grade(answer, variables, findings) for entry in self._entries]
        passed, score, reason = tally(entries, self._threshold)
        judged = [finding for finding in findings.values() if finding.model is not None]
        asked = asked_in_all(judged) if judged else None
        return Grading(passed, score, reason, entries, asked)


def _questions(
    entries: Iterable[Entry],
    answer: Answer,
    variables: Mapping[str, object],
    findings: Findings,
) -> Iterator[Question]:
    for entry in entries:
        if entry.asks:
            yield from entry.questions(answer, variables, findings)


def _people(
    entries: Iterable[Entry], answer: Answer, variables: Mapping[str, object]
) -> Iterator[PersonQuestion]:
    for entry in entries:
        if entry.asks_people:
            yield from entry.people(answer, variables)


def asked_in_all(findings: Collection[Finding]) -> Asked:
    """What it took to find these."""
    costs = [finding.cost for finding in findings]
    known = [cost for cost in costs if cost is not None]
    return Asked(
        ", ".join(dict.fromkeys(finding.model for finding in findings if finding.model)),
        sum(finding.tokens_in for finding in findings),
        sum(finding.tokens_out for finding in findings),
        math.fsum(known) if len(known) == len(costs) else None,
    )


def tally(entries: Sequence[GradedAssertion], threshold: float | None) -> Verdict:
    """Add up grades: the weighted mean of the scores, and whether that is a pass.

    Without assertions the score is 1, and where none has a weight it is 0, as in promptfoo.
    """
    if not entries:
        return Verdict(True, 1.0, "No assertions.")
    total = weighted = 0.0
    failed = []
    for entry in entries:
        total += entry.weight
        weighted += entry.weight * entry.score
        if not entry.passed and entry.weight:
            failed.append(entry)
    score = min(1.0, weighted / total) if total else 0.0
    if threshold is not None:
        # Weights such as 0.1 do not add up exactly.
        passed = score >= threshold - _TOLERANCE
        comparison = "reaches" if passed else "is below"
        return Verdict(
            passed, score, f"The score {score:.2f} {comparison} the threshold {threshold:g}."
        )
    if not failed:
        reason = "All assertions passed." if total else "No assertion has a weight."
        return Verdict(True, score, reason)
    return Verdict(False, score, _reason(failed, len(entries)))


def _reason(failed: Sequence[GradedAssertion], count: int) -> str:
    first = f"{failed[0].type}: {failed[0].reason}"
    return first if count == 1 else f"{len(failed)} of {count} assertions failed. {first}"
