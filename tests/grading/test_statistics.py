import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.statistics import percentile, wilson_interval

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50).map(sorted)


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_agrees_with_published_values(
    passed: int, total: int, low: float, high: float
) -> None:
    assert wilson_interval(passed, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_lies_around_the_rate(counts: tuple[int, int]) -> None:
    passed, total = counts
    low, high = wilson_interval(passed, total)
    wider = wilson_interval(passed, total, 0.99)
    assert 0 <= wider[0] <= low <= high <= wider[1] <= 1
    if total:
        assert low <= passed / total <= high
        mirrored = wilson_interval(total - passed, total)
        assert mirrored == pytest.approx((1 - high, 1 - low))


def test_nothing_counted_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("arguments", [(2, 1), (-1, 1), (0, 1, 0.0), (0, 1, 1.0), (0, 0, 2.0)])
def test_impossible_counts_are_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        wilson_interval(*arguments)


def test_percentile_interpolates() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert percentile([10.0, 20.0], 95) == pytest.approx(19.5)
    assert percentile([7.0], 99) == 7.0


@given(values, st.floats(0, 100), st.floats(0, 100))
def test_percentiles_lie_between_the_ends_in_order(
    ordered: list[float], one: float, other: float
) -> None:
    low, high = sorted((one, other))
    below, above = percentile(ordered, low), percentile(ordered, high)
    slack = 1e-6
    assert ordered[0] - slack <= below <= above + slack <= ordered[-1] + 2 * slack
    assert percentile(ordered, 0) == ordered[0]
    assert percentile(ordered, 100) == pytest.approx(ordered[-1])


@given(values.filter(lambda ordered: len(ordered) > 1))
def test_quartiles_agree_with_the_standard_library(ordered: list[float]) -> None:
    expected = statistics.quantiles(ordered, n=4, method="inclusive")
    assert [percentile(ordered, q) for q in (25, 50, 75)] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("ordered", "q"), [([], 50), ([1.0], -1), ([1.0], 101), ([1.0], math.nan)])
def test_impossible_percentiles_are_refused(ordered: list[float], q: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        percentile(ordered, q)
