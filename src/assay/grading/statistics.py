"""Statistics for summaries: intervals for pass rates, percentiles of latencies."""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist


def wilson_interval(passed: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval for a proportion.

    Unlike the textbook interval it stays within 0 and 1 and holds for small samples and for
    rates near the ends. Formula: E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", Journal of the American Statistical Association 22 (1927), 209-212,
    without continuity correction.

    Args:
        passed: How many passed, from 0 to `total`.
        total: How many there are.
        confidence: The share of samples whose interval holds the true rate, between 0 and 1.

    Returns:
        The lower and the upper end; (0, 1) where there is nothing to count.

    Raises:
        ValueError: A count or the confidence is out of its range.
    """
    if not 0 <= passed <= total:
        raise ValueError(f"passed must be from 0 to total, but {passed} of {total} is not.")
    z = _z_score(confidence)
    if not total:
        return 0.0, 1.0
    rate = passed / total
    scale = 1 + z * z / total
    centre = (rate + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    # At 0 and at total the formula gives the end exactly; rounding would miss it.
    low = 0.0 if passed == 0 else max(0.0, centre - half)
    high = 1.0 if passed == total else min(1.0, centre + half)
    return low, high


def percentile(ordered: Sequence[float], q: float) -> float:
    """The value below which `q` percent lie, interpolated between neighbours.

    Definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The
    American Statistician 50 (1996), 361-365, which is the default of NumPy and of spreadsheets.

    Args:
        ordered: Values in ascending order, at least one.
        q: From 0 to 100; 50 is the median.

    Raises:
        ValueError: There are no values, or `q` is out of range.
    """
    if not ordered:
        raise ValueError("A percentile needs at least one value.")
    if not 0 <= q <= 100:
        raise ValueError(f"q is a percentage from 0 to 100, not {q}.")
    position = (len(ordered) - 1) * q / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    share = position - below
    return ordered[below] + (ordered[above] - ordered[below]) * share


@lru_cache(maxsize=16)
def _z_score(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, but is {confidence}.")
    return NormalDist().inv_cdf((1 + confidence) / 2)
