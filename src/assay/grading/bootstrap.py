"""Bootstrap intervals of mean scores, and of their difference between two runs.

B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993). The mean of a resample
depends only on how often each distinct value is in it, and those counts are multinomial. Drawing
counts instead of values gives the same distribution, and takes no longer for a million cells than
for a hundred. Where there are more than `DISTINCT` distinct values, each is moved to the nearest of
as many equally spaced ones, which changes the width of an interval by less than one part in 1,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 9_999
DISTINCT = 200
_CHUNK = 1_000_000
_NORMAL = NormalDist()

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The difference of two mean scores on the same items.

    Attributes:
        difference: The mean after less that before.
        low: The lower end of its interval.
        high: The upper end.
        p_value: The probability of a difference as large as this or larger if there is none.
    """

    difference: float
    low: float
    high: float
    p_value: float


def mean_interval(
    scores: Sequence[float] | Floats,
    confidence: float = 0.95,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """The BCa bootstrap interval of a mean.

    Bias-corrected and accelerated: chapter 14 of the book. For a mean the acceleration is
    sum(d³) / (6 · sum(d²)^1.5) with d the deviations from it. Where all scores are equal the
    interval is that one value; it then says nothing about what was not seen.

    Args:
        scores: At least two numbers.
        confidence: The share of samples whose interval holds the true mean.
        seed: Of the random numbers; the same seed gives the same interval.
        resamples: How many resamples are drawn.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: There are fewer than two scores, one is not finite, or the confidence is not
            between 0 and 1.
    """
    sample = _checked(scores, confidence, resamples)
    means = _resampled_means(sample, np.random.default_rng(seed), resamples)
    return _bca(sample, means, confidence)


def paired_difference(
    before: Sequence[float] | Floats,
    after: Sequence[float] | Floats,
    confidence: float = 0.95,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PairedDifference:
    """The difference of the mean scores of two runs on the same items.

    Items are resampled with both of their scores, so what makes an item hard in both runs does
    not blur the difference. The interval is BCa, as in `mean_interval`.

    The p-value is that of the two-sided permutation test for pairs: without a difference between
    the runs each item's difference could as well have the other sign, so it is the share of ways
    to give out signs whose mean is at least as far from 0. E. J. G. Pitman, "Significance tests
    which may be applied to samples from any populations", Supplement to the Journal of the Royal
    Statistical Society 4 (1937), 119-130. Unlike a bootstrap it does not take two items for
    proof. All ways are tried where they are few, else `resamples` random ones.

    Args:
        before: The scores of one run, at least two.
        after: Those of the other, item by item in the same order.
        confidence: The share of samples whose interval holds the true difference.
        seed: Of the random numbers; the same seed gives the same result.
        resamples: How many resamples are drawn, and how many ways to give out signs.

    Raises:
        ValueError: The lengths differ, or as in `mean_interval`.
    """
    if len(before) != len(after):
        raise ValueError(
            f"Pairs need as many scores after as before, not {len(after)} and {len(before)}."
        )
    differences = np.subtract(after, before, dtype=np.float64)
    sample = _checked(differences, confidence, resamples)
    random = np.random.default_rng(seed)
    low, high = _bca(sample, _resampled_means(sample, random, resamples), confidence)
    return PairedDifference(
        float(sample.mean()), low, high, _sign_p_value(sample, random, resamples)
    )


def _checked(scores: Sequence[float] | Floats, confidence: float, resamples: int) -> Floats:
    sample = np.asarray(scores, dtype=np.float64)
    if sample.size < 2:
        raise ValueError(f"A bootstrap needs at least two scores, not {sample.size}.")
    if not np.isfinite(sample).all():
        raise ValueError("A score must be a finite number.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, but is {confidence}.")
    if resamples < 1:
        raise ValueError(f"There must be at least one resample, not {resamples}.")
    return sample


def _resampled_means(sample: Floats, random: np.random.Generator, resamples: int) -> Floats:
    values, counts = _distinct(sample)
    rows = max(1, _CHUNK // len(values))
    means = [
        random.multinomial(sample.size, counts / sample.size, size=min(rows, resamples - start))
        @ values
        / sample.size
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(means)


def _distinct(sample: Floats) -> tuple[Floats, NDArray[np.int64]]:
    values, counts = np.unique(sample, return_counts=True)
    if len(values) <= DISTINCT:
        return values, counts
    low, high = float(values[0]), float(values[-1])
    places = np.rint((sample - low) / (high - low) * (DISTINCT - 1)).astype(np.int64)
    counts = np.bincount(places, minlength=DISTINCT)
    # The mean of what was moved to a place, so that the mean of all stays exact.
    sums = np.bincount(places, weights=sample, minlength=DISTINCT)
    return sums[counts > 0] / counts[counts > 0], counts[counts > 0]


def _sign_p_value(sample: Floats, random: np.random.Generator, resamples: int) -> float:
    changed = sample[sample != 0]
    # Sums that are equal but for rounding count as equally far.
    observed = abs(float(changed.sum())) * (1 - 1e-12) - 1e-12 * float(np.abs(changed).sum())
    if 2**changed.size <= resamples + 1:
        ways = np.arange(2**changed.size)[:, None] >> np.arange(changed.size) & 1
        return float(np.mean(np.abs((2 * ways - 1) @ changed) >= observed))
    sizes, counts = _distinct(np.abs(changed))
    rows = max(1, _CHUNK // len(sizes))
    far = 0
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), len(sizes))
        positive = random.binomial(counts, 0.5, size=shape)
        far += int((np.abs((2 * positive - counts) @ sizes) >= observed).sum())
    return (1 + far) / (1 + resamples)


def _bca(sample: Floats, means: Floats, confidence: float) -> tuple[float, float]:
    observed = float(sample.mean())
    slack = 1e-12 * (1 + abs(observed))
    deviations = sample - observed
    largest = float(np.abs(deviations).max())
    if largest <= slack:
        return observed, observed
    deviations /= largest
    below = (np.mean(means < observed - slack) + np.mean(means <= observed + slack)) / 2
    bias = _quantile(float(below), len(means))
    acceleration = float((deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5))
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = bias + _NORMAL.inv_cdf(tail)
        corrected = bias + shifted / (1 - acceleration * shifted)
        ends.append(float(np.quantile(means, _NORMAL.cdf(corrected))))
    return ends[0], ends[1]


def _quantile(share: float, resamples: int) -> float:
    """The normal quantile of a share of the resamples, which may be none or all of them."""
    edge = 1 / (resamples + 1)
    return _NORMAL.inv_cdf(min(max(share, edge), 1 - edge))
