"""Assertions on how sure the model was of its answer, by the log-probabilities of its tokens."""

import math

from assay.grading.checks import CheckFault, Spec, Test, Verdict
from assay.grading.results import Answer


def perplexity(spec: Spec) -> Test:
    """The perplexity of the answer is at most `threshold`; without one it is only measured."""
    limit = spec.threshold

    def test(answer: Answer) -> Verdict:
        found = perplexity_of(answer)
        if limit is None:
            return Verdict(True, 1.0, f"The perplexity of the answer is {found:.4g}.")
        within = found <= limit
        reason = f"The perplexity of the answer is {found:.4g}; the limit is {limit:g}."
        return Verdict(within, 1.0 if within else 0.0, reason)

    return test


def perplexity_score(spec: Spec) -> Test:
    """1 / (1 + perplexity) reaches `threshold`; without one it is only measured."""
    enough = spec.threshold
    if enough is not None and enough > 1:
        raise CheckFault("The threshold is a score from 0 to 1.", "threshold")

    def test(answer: Answer) -> Verdict:
        score = 1 / (1 + perplexity_of(answer))
        if enough is None:
            return Verdict(True, score, f"The perplexity score is {score:.4f}.")
        passed = score >= enough
        comparison = "reaches" if passed else "is below"
        return Verdict(
            passed,
            score,
            f"The perplexity score {score:.4f} {comparison} the threshold {enough:g}.",
        )

    return test


def perplexity_of(answer: Answer) -> float:
    """The perplexity of an answer: exp of the negative mean log-probability of its tokens.

    F. Jelinek, R. L. Mercer, L. R. Bahl and J. K. Baker, "Perplexity: a measure of the difficulty
    of speech recognition tasks", Journal of the Acoustical Society of America 62 (1977), S63.

    Returns:
        1 or more; infinite where the mean is too low for a float.

    Raises:
        CheckFault: The answer carries no log-probabilities.
    """
    if not answer.logprobs:
        raise CheckFault(
            "The answer carries no log-probabilities: ask for them with the parameter "
            "logprobs: true, where the model gives them."
        )
    try:
        return math.exp(-math.fsum(answer.logprobs) / len(answer.logprobs))
    except OverflowError:
        return math.inf
