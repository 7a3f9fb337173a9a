import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.gateway.bucket import Bucket


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def starts(bucket: Bucket, clock: Clock, calls: int, share: float = 1.0) -> list[float]:
    """When each of `calls` that all come at once may start."""
    return [clock.now + bucket.take(1, share) for _ in range(calls)]


def test_calls_are_spread_over_the_minute() -> None:
    clock = Clock()
    first, second, third = starts(Bucket(60, clock), clock, 3)
    assert first == clock.now
    assert second - first == pytest.approx(1.0, abs=0.15)
    assert third - second == pytest.approx(1.0, abs=0.15)


@given(
    per_minute=st.integers(1, 2000),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=300),
)
def test_no_minute_sees_more_than_allowed(per_minute: int, gaps: list[float]) -> None:
    clock = Clock()
    bucket = Bucket(per_minute, clock)
    taken = []
    for gap in gaps:
        clock.now += gap
        taken += starts(bucket, clock, 3)
    for number, start in enumerate(taken):
        in_the_minute = sum(start <= other < start + 59.999 for other in taken[number:])
        assert in_the_minute <= per_minute


def test_a_pause_saves_nothing_up() -> None:
    clock = Clock()
    bucket = Bucket(60, clock)
    clock.now += 3600
    assert starts(bucket, clock, 5)[-1] - clock.now > 3.5


def test_a_share_is_that_part_of_the_rate() -> None:
    clock = Clock()
    whole = starts(Bucket(60, clock), clock, 5)[-1] - clock.now
    quarter = starts(Bucket(60, clock), clock, 5, share=0.25)[-1] - clock.now
    assert quarter == pytest.approx(4 * whole, rel=0.1)


def test_what_was_taken_in_excess_is_given_back() -> None:
    clock = Clock()
    bucket = Bucket(600, clock)
    bucket.take(600)
    assert bucket.take(0) == pytest.approx(60, abs=1)
    bucket.settle(-590)
    assert bucket.take(0) == pytest.approx(1, abs=0.2)
    bucket.settle(100)
    assert bucket.take(0) == pytest.approx(11, abs=0.3)
