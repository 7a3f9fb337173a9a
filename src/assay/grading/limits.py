"""Assertions on what an answer took: time and money."""

from assay.grading.checks import CheckFault, Spec, Test, Verdict
from assay.grading.results import Answer


def latency(spec: Spec) -> Test:
    """The model took at most `threshold` milliseconds."""
    limit = spec.threshold or 0.0

    def test(answer: Answer) -> Verdict:
        if answer.latency_ms is None:
            raise CheckFault(
                "The latency of this answer was not measured, as for one from the cache; ask anew "
                "with `cache: off`."
            )
        within = answer.latency_ms <= limit
        reason = f"The answer took {answer.latency_ms:.0f} ms; the limit is {limit:g} ms."
        return Verdict(within, 1.0 if within else 0.0, reason)

    return test


def cost(spec: Spec) -> Test:
    """The answer cost at most `threshold` USD."""
    limit = spec.threshold or 0.0

    def test(answer: Answer) -> Verdict:
        if answer.cost is None:
            raise CheckFault("The cost of this answer is unknown: the model has no known price.")
        within = answer.cost <= limit
        reason = f"The answer cost ${answer.cost:.6g}; the limit is ${limit:g}."
        return Verdict(within, 1.0 if within else 0.0, reason)

    return test
