"""Statistics of two runs on the same items, for passed or not: test, interval, correction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.grading.statistics import wilson_interval


@dataclass(frozen=True, slots=True)
class Pairs:
    """How often the items of two runs passed in both, in one of them, or in neither.

    Attributes:
        both: Passed before and after.
        lost: Passed before and not after.
        won: Passed after and not before.
        neither: Passed neither before nor after.
    """

    both: int
    lost: int
    won: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.lost, self.won, self.neither) < 0:
            raise ValueError(f"Counts must be 0 or more, unlike those of {self}.")

    @property
    def total(self) -> int:
        """How many items there are."""
        return self.both + self.lost + self.won + self.neither

    @property
    def difference(self) -> float:
        """The pass rate after less that before, from -1 to 1; 0 where there are no items."""
        return (self.won - self.lost) / self.total if self.total else 0.0


def mcnemar_p_value(pairs: Pairs) -> float:
    """The two-sided p-value of McNemar's exact test.

    Only items that passed in one run alone count: without a difference between the runs each of
    them is as likely to be won as lost, so their number is binomial with 1/2. Formula: twice the
    smaller tail, at most 1. Q. McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", Psychometrika 12 (1947), 153-157, in its exact form.

    Returns:
        The probability of a difference as large as this or larger if there is none; 1 where no
        item differs.
    """
    changed = pairs.won + pairs.lost
    fewer = min(pairs.won, pairs.lost)
    if 2 * fewer >= changed - 1:
        # Both tails together are everything; this spares a sum over half of the distribution.
        return 1.0
    # By logarithms, since the binomials of a large run are beyond any float.
    largest = _log_binomial(changed, fewer)
    term = tail = 1.0
    for wins in range(fewer, 0, -1):
        term *= wins / (changed - wins + 1)
        tail += term
        if term < tail * 1e-17:
            break
    return min(1.0, 2 * math.exp(largest + math.log(tail) - changed * math.log(2)))


def paired_interval(pairs: Pairs, confidence: float = 0.95) -> tuple[float, float]:
    """An interval for the difference of two pass rates on the same items.

    R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", Statistics in Medicine 17 (1998), 2635-2650, method 10: the Wilson
    intervals of both rates, joined by their squares and with the correlation between the runs.

    Args:
        pairs: The counts.
        confidence: The share of samples whose interval holds the true difference.

    Returns:
        The lower and the upper end of `Pairs.difference`, from -1 to 1; (-1, 1) without items.

    Raises:
        ValueError: The confidence is not between 0 and 1.
    """
    before, after, total = pairs.both + pairs.lost, pairs.both + pairs.won, pairs.total
    before_low, before_high = wilson_interval(before, total, confidence)
    after_low, after_high = wilson_interval(after, total, confidence)
    if not total:
        return -1.0, 1.0
    rate_before, rate_after = before / total, after / total
    correlation = _correlation(pairs)
    low = _joined(rate_after - after_low, before_high - rate_before, correlation)
    high = _joined(after_high - rate_after, rate_before - before_low, correlation)
    return max(-1.0, pairs.difference - low), min(1.0, pairs.difference + high)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for how many there are, by Holm's method.

    The smallest is multiplied by their number m, the next by m - 1 and so on; none is smaller
    than one before it. The chance that any of them is below a level although nothing differs is
    then at most that level, however they depend on each other. S. Holm, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979), 65-70.

    Returns:
        The corrected p-values, at most 1, in the order given.

    Raises:
        ValueError: A value is not from 0 to 1.
    """
    if not all(0 <= value <= 1 for value in p_values):
        raise ValueError("A p-value must be from 0 to 1.")
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = highest
    return corrected


def _joined(of_after: float, of_before: float, correlation: float) -> float:
    square = of_after**2 - 2 * correlation * of_after * of_before + of_before**2
    return math.sqrt(max(0.0, square))


def _correlation(pairs: Pairs) -> float:
    """Newcombe's estimate of phi, with the continuity correction where it is positive."""
    margins = (
        (pairs.both + pairs.lost)
        * (pairs.won + pairs.neither)
        * (pairs.both + pairs.won)
        * (pairs.lost + pairs.neither)
    )
    if not margins:
        return 0.0
    product: float = pairs.both * pairs.neither - pairs.lost * pairs.won
    if product > 0:
        product = max(0.0, product - pairs.total / 2)
    return product / math.sqrt(margins)


def _log_binomial(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
