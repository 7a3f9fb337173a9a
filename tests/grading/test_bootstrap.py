import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from assay.grading.bootstrap import DISTINCT, Floats, mean_interval, paired_difference
from assay.grading.comparison import Pairs, mcnemar_p_value

shapes = st.floats(0.5, 5)
samples = st.builds(
    lambda seed, size, a, b: np.random.default_rng(seed).beta(a, b, size),
    st.integers(0, 10**6),
    st.integers(10, 60),
    shapes,
    shapes,
)


@settings(max_examples=25, deadline=None)
@given(samples, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_agrees_with_scipy(scores: Floats, confidence: float) -> None:
    expected = stats.bootstrap(
        (scores,), np.mean, confidence_level=confidence, method="BCa", rng=1
    ).confidence_interval
    found = mean_interval(scores, confidence)
    # Both are random; the ends of the interval vary by about 2 % of its width.
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.12 * width + 1e-9)


def test_equal_seeds_give_equal_intervals() -> None:
    scores = list(np.random.default_rng(1).random(30))
    assert mean_interval(scores, seed=3) == mean_interval(scores, seed=3)
    assert mean_interval(scores, seed=3) != mean_interval(scores, seed=4)


def test_more_distinct_values_than_are_drawn_change_nothing_that_matters() -> None:
    scores = np.random.default_rng(5).beta(2, 5, 20_000)
    low, high = mean_interval(list(scores))
    error = float(scores.std()) / math.sqrt(len(scores))
    assert len(set(scores)) > DISTINCT
    assert low == pytest.approx(scores.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(scores.mean() + 1.96 * error, abs=0.1 * error)


def test_equal_scores_give_their_value() -> None:
    assert mean_interval([0.5] * 20) == (0.5, 0.5)


@pytest.mark.parametrize(
    "draw",
    [
        lambda dice: dice.binomial(1, 0.7, 40).astype(float),
        lambda dice: dice.beta(2, 5, 30),
        lambda dice: dice.choice([0, 0.5, 1], 50, p=[0.2, 0.3, 0.5]),
    ],
)
def test_the_interval_holds_its_coverage(draw: Callable[[np.random.Generator], Floats]) -> None:
    dice = np.random.default_rng(11)
    true = float(np.mean([draw(dice).mean() for _ in range(20_000)]))
    trials = 400
    held = 0
    for trial in range(trials):
        low, high = mean_interval(draw(dice), seed=trial, resamples=999)
        held += low <= true <= high
    # A bootstrap of 30 to 50 values holds a little less than 95 %; three standard errors are 0.033.
    assert 0.9 <= held / trials <= 0.98


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40))
def test_the_difference_is_that_of_the_means(scores: list[tuple[float, float]]) -> None:
    before, after = [one for one, _ in scores], [other for _, other in scores]
    found = paired_difference(before, after, resamples=999)
    back = paired_difference(after, before, resamples=999)
    assert found.difference == pytest.approx(np.mean(after) - np.mean(before), abs=1e-12)
    assert found.low <= found.high
    assert 0 < found.p_value <= 1
    assert back.difference == pytest.approx(-found.difference, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(samples, samples)
def test_the_p_value_agrees_with_scipys_permutation_test(
    one: list[float], two: list[float]
) -> None:
    size = min(len(one), len(two))
    before, after = np.array(one[:size]), np.array(two[:size])
    expected = stats.permutation_test(
        (after, before),
        lambda left, right, axis: np.mean(left - right, axis=axis),
        permutation_type="samples",
        vectorized=True,
        rng=1,
    ).pvalue
    found = paired_difference(before, after).p_value
    # Exact up to 13 items; beyond, both try some ten thousand ways at random. Ours counts both
    # tails; scipy doubles the smaller one, whose share it knows less well.
    tail = expected / 2
    spread = math.sqrt((expected * (1 - expected) + 4 * tail * (1 - tail)) / 9999)
    assert found == pytest.approx(expected, abs=1e-9 if size <= 13 else 6 * spread + 1e-3)


def test_few_items_prove_nothing() -> None:
    assert paired_difference([0.0, 0.0], [0.5, 0.5]).p_value == 0.5
    assert paired_difference([0.0] * 5, [0.5] * 5).p_value == 2 / 32


@pytest.mark.parametrize("size", [20, 5000])
def test_differences_of_one_size_are_mcnemars_test(size: int) -> None:
    lost, won = size // 3, size // 3 + int(1.8 * math.sqrt(size))
    before = [1.0] * lost + [0.0] * won + [1.0] * size
    after = [0.0] * lost + [1.0] * won + [1.0] * size
    expected = mcnemar_p_value(Pairs(size, lost, won, 0))
    assert paired_difference(before, after).p_value == pytest.approx(expected, abs=0.02)


def test_pairing_sees_what_the_spread_of_items_would_hide() -> None:
    before = [number / 50 for number in range(50)]
    after = [score + 0.05 for score in before]
    found = paired_difference(before, after)
    assert (found.low, found.high) == pytest.approx((0.05, 0.05))
    assert found.p_value < 0.001


def test_without_a_difference_the_p_value_is_1() -> None:
    scores = [0.1, 0.4, 1.0]
    found = paired_difference(scores, scores)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_the_p_value_is_uniform_where_nothing_differs() -> None:
    dice = np.random.default_rng(2)
    values = [
        paired_difference(dice.random(40), dice.random(40), seed=trial, resamples=499).p_value
        for trial in range(400)
    ]
    for level in (0.05, 0.2, 0.5):
        below = sum(value <= level for value in values) / len(values)
        assert below == pytest.approx(level, abs=3.5 * math.sqrt(level * (1 - level) / 400))


@pytest.mark.parametrize(
    ("scores", "message"), [([], "two"), ([1.0], "two"), ([1.0, math.nan], "finite")]
)
def test_too_few_or_impossible_scores_are_refused(scores: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mean_interval(scores)
    with pytest.raises(ValueError, match=message):
        paired_difference(scores, scores)


def test_other_impossible_input_is_refused() -> None:
    with pytest.raises(ValueError, match="as many scores"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="confidence"):
        mean_interval([0.0, 1.0], 1.0)
    with pytest.raises(ValueError, match="resample"):
        mean_interval([0.0, 1.0], resamples=0)
