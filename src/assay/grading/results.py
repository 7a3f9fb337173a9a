"""What goes into a grading and what comes out of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Answer:
    """One answer of a model.

    Attributes:
        output: The text of the answer.
        latency_ms: How long the model took, in milliseconds; None where not measured.
        cost: What the answer cost, in USD; None where the price is unknown.
        logprobs: The natural logarithm of the probability of each token of the answer; None
            where the model did not give them.
        messages: What the model was asked.
    """

    output: str
    latency_ms: float | None = None
    cost: float | None = None
    logprobs: Sequence[float] | None = None
    messages: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What it took to ask judges.

    Attributes:
        model: Who was asked, `provider/model`; several with a comma between them.
        tokens_in: Tokens of all questions.
        tokens_out: Tokens of all answers.
        cost: USD in all; None where the price of one is not known.
    """

    model: str
    tokens_in: int
    tokens_out: int
    cost: float | None

    def as_json(self) -> dict[str, Any]:
        """What is stored with a result."""
        return {
            "model": self.model,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost": self.cost,
        }


@dataclass(slots=True)
class GradedAssertion:
    """The grade that one assertion gives.

    Attributes:
        type: The assertion's type as written, with its `not-`.
        passed: Whether it holds; always true at weight 0, unless it ended in an error.
        score: From 0 to 1, measured also at weight 0.
        reason: What was found, as a sentence.
        weight: Its share in the score of the whole.
        metric: The name its score is reported under.
        error: It could not be decided, such as for a missing variable; never passed.
        parts: The grades of its own assertions, for an `assert-set`.
        judge: What it took to ask a judge, where one was asked.
    """

    type: str
    passed: bool
    score: float
    reason: str
    weight: float
    metric: str | None = None
    error: bool = False
    parts: list["GradedAssertion"] | None = None
    judge: Asked | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry as it is stored; what is `None` or false here is left out."""
        entry: dict[str, Any] = {
            "type": self.type,
            "passed": self.passed,
            "score": self.score,
            "reason": self.reason,
            "weight": self.weight,
        }
        if self.metric is not None:
            entry["metric"] = self.metric
        if self.error:
            entry["error"] = True
        if self.parts is not None:
            entry["parts"] = [part.as_json() for part in self.parts]
        if self.judge is not None:
            entry["judge"] = self.judge.as_json()
        return entry


@dataclass(slots=True)
class Grading:
    """The grade of one cell: one entry for each assertion, in the order they were given.

    `asked` is what all its judges took together, where any was asked.
    """

    passed: bool
    score: float
    reason: str
    entries: list[GradedAssertion] = field(default_factory=list)
    asked: Asked | None = None

    def metrics(self) -> dict[str, float]:
        """The score of each named metric: the weighted mean of the assertions that carry it.

        Assertions inside a set count with their own weight times that of the set. Where all
        that carry a name have weight 0, they count alike.
        """
        shares: dict[str, list[tuple[float, float]]] = {}
        for name, score, weight in _named_scores(self.entries, 1.0):
            shares.setdefault(name, []).append((score, weight))
        return {name: _mean(scores) for name, scores in shares.items()}

    def as_json(self) -> dict[str, Any]:
        """The grading as it is stored with a result and sent over the wire."""
        return {
            "passed": self.passed,
            "score": self.score,
            "reason": self.reason,
            "assertions": [entry.as_json() for entry in self.entries],
            "metrics": self.metrics(),
        }


def _named_scores(
    entries: list[GradedAssertion], share: float
) -> Iterator[tuple[str, float, float]]:
    for entry in entries:
        weight = entry.weight * share
        if entry.metric is not None:
            yield entry.metric, entry.score, weight
        for name, score, part_weight in _named_scores(entry.parts or [], weight):
            # A set of the same name already carries the scores of its parts.
            if name != entry.metric:
                yield name, score, part_weight


def _mean(scores: list[tuple[float, float]]) -> float:
    total = sum(weight for _, weight in scores)
    if not total:
        return sum(score for score, _ in scores) / len(scores)
    return min(1.0, sum(score * weight for score, weight in scores) / total)
