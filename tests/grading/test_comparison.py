import math
import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from assay.grading.comparison import Pairs, holm, mcnemar_p_value, paired_interval
from assay.grading.statistics import wilson_interval

counts = st.integers(0, 2000)
pairs = st.builds(Pairs, counts, counts, counts, counts)
p_values = st.lists(st.floats(0, 1), max_size=6)


@given(pairs)
def test_mcnemar_agrees_with_the_binomial_test(observed: Pairs) -> None:
    changed = observed.won + observed.lost
    expected = stats.binomtest(observed.won, changed, 0.5).pvalue if changed else 1.0
    assert mcnemar_p_value(observed) == pytest.approx(expected, rel=1e-9, abs=1e-280)


@pytest.mark.parametrize(("won", "lost"), [(0, 3000), (100_000, 99_000), (500_000, 500_001)])
def test_mcnemar_works_on_large_runs(won: int, lost: int) -> None:
    expected = stats.binomtest(won, won + lost, 0.5).pvalue
    found = mcnemar_p_value(Pairs(1_000_000, lost, won, 0))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-280)


def test_without_a_changed_item_nothing_is_significant() -> None:
    assert mcnemar_p_value(Pairs(5, 0, 0, 3)) == 1.0
    assert mcnemar_p_value(Pairs(0, 0, 0, 0)) == 1.0


def test_the_paired_interval_agrees_with_published_values() -> None:
    # M. W. Fagerland, S. Lydersen and P. Laake, "Recommended tests and confidence intervals for
    # paired binomial proportions", Statistics in Medicine 33 (2014), 2850-2875: airways before
    # and after a transplantation, Newcombe's square-and-add interval.
    low, high = paired_interval(Pairs(1, 7, 1, 12))
    assert (low, high) == pytest.approx((-0.507, -0.026), abs=5e-4)


@given(pairs)
def test_the_paired_interval_lies_around_the_difference(observed: Pairs) -> None:
    low, high = paired_interval(observed)
    wider = paired_interval(observed, 0.99)
    slack = 1e-9
    assert -1 <= low <= observed.difference + slack
    assert observed.difference - slack <= high <= 1
    assert wider[0] <= low + slack
    assert high <= wider[1] + slack
    swapped = Pairs(observed.both, observed.won, observed.lost, observed.neither)
    assert paired_interval(swapped) == pytest.approx((-high, -low), abs=1e-9)


def test_without_correlation_it_is_newcombes_interval_for_two_samples() -> None:
    # 6 of 9 and 3 of 9, with both * neither = lost * won.
    observed = Pairs(2, 4, 1, 2)
    first, second = wilson_interval(6, 9), wilson_interval(3, 9)
    low, high = paired_interval(observed)
    down = math.hypot(3 / 9 - second[0], first[1] - 6 / 9)
    up = math.hypot(second[1] - 3 / 9, 6 / 9 - first[0])
    assert (low, high) == pytest.approx((-3 / 9 - down, -3 / 9 + up))


def test_no_items_say_nothing() -> None:
    nothing = Pairs(0, 0, 0, 0)
    assert paired_interval(nothing) == (-1.0, 1.0)
    assert nothing.difference == 0.0


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Pairs(1, -1, 0, 0)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 2.0])
def test_impossible_confidences_are_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        paired_interval(Pairs(1, 1, 1, 1), confidence)


@pytest.mark.parametrize(
    ("rate", "won", "lost", "total"),
    [(0.6, 0.2, 0.05, 60), (0.3, 0.1, 0.1, 40), (0.9, 0.02, 0.05, 100)],
)
def test_the_paired_interval_holds_its_coverage(
    rate: float, won: float, lost: float, total: int
) -> None:
    dice = random.Random(7)
    kinds = [rate - lost, lost, won, 1 - rate - won]
    held = 0
    trials = 2000
    for _ in range(trials):
        drawn = dice.choices(range(4), kinds, k=total)
        low, high = paired_interval(Pairs(*(drawn.count(kind) for kind in range(4))))
        held += low <= won - lost <= high
    # 95 %, and room for chance: three standard errors are 0.015.
    assert 0.935 <= held / trials <= 0.99


@given(p_values)
def test_holm_is_the_closed_test_with_bonferroni(values: list[float]) -> None:
    # By definition a hypothesis falls when each set of hypotheses that it is in falls.
    expected = [
        min(1.0, max(
            len(group) * min(values[place] for place in group)
            for size in range(1, len(values) + 1)
            for group in combinations(range(len(values)), size)
            if index in group
        ))
        for index in range(len(values))
    ]  # fmt: skip
    assert holm(values) == pytest.approx(expected)


def test_holm_agrees_with_a_published_example() -> None:
    # J. P. Shaffer, "Multiple hypothesis testing", Annual Review of Psychology 46 (1995): each
    # value times 4, 3, 2 and 1, made ascending.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@settings(max_examples=50)
@given(p_values.filter(bool), st.randoms())
def test_holm_does_not_depend_on_the_order(values: list[float], dice: random.Random) -> None:
    order = list(range(len(values)))
    dice.shuffle(order)
    shuffled = holm([values[place] for place in order])
    assert shuffled == [holm(values)[place] for place in order]
    assert all(corrected >= value for corrected, value in zip(holm(values), values, strict=True))


@pytest.mark.parametrize("values", [[-0.1], [1.1], [0.5, math.nan]])
def test_what_is_no_p_value_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="p-value"):
        holm(values)
