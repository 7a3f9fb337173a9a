from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.repetitions import pass_at_k, pass_hat_k


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_they_are_the_shares_of_all_choices(passes: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(passes)))
    choices = list(combinations(passes, k))
    passed = sum(passes)
    assert pass_hat_k(passed, len(passes), k) == pytest.approx(
        sum(map(all, choices)) / len(choices)
    )
    assert pass_at_k(passed, len(passes), k) == pytest.approx(sum(map(any, choices)) / len(choices))


@pytest.mark.parametrize("arguments", [(-1, 1, 1), (2, 1, 1), (1, 1, 0), (1, 2, 3), (0, 0, 1)])
def test_impossible_counts_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        pass_hat_k(*arguments)
    with pytest.raises(ValueError, match="must be"):
        pass_at_k(*arguments)
