from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from assay.core.rate_limit import RateLimit


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


LIMITS = st.integers(1, 300)
PAUSES = st.lists(st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 90)), max_size=300)


def taken(limit: int, pauses: Sequence[float]) -> tuple[list[float], list[tuple[float, float]]]:
    """When requests were let through, and when others were refused with which wait."""
    clock = Clock()
    limiter = RateLimit(limit, clock)
    through: list[float] = []
    refused: list[tuple[float, float]] = []
    for pause in pauses:
        clock.now += pause
        wait = limiter.take("ada")
        if wait:
            refused.append((clock.now, wait))
        else:
            through.append(clock.now)
    return through, refused


@given(LIMITS, PAUSES)
def test_never_more_than_a_minute_at_once_and_then_the_rate(
    limit: int, pauses: Sequence[float]
) -> None:
    through, _ = taken(limit, pauses)
    for first, begin in enumerate(through):
        for last in range(first, len(through)):
            window = through[last] - begin
            # Half a request is what a caller may be early.
            assert last - first + 1 <= limit + window * limit / 60 + 0.5 + 1e-6


@given(LIMITS, PAUSES)
def test_who_keeps_to_the_rate_is_never_refused(limit: int, pauses: Sequence[float]) -> None:
    _, refused = taken(limit, [60 / limit + pause for pause in pauses])
    assert refused == []


@given(LIMITS, st.floats(0, 59))
def test_a_whole_minute_can_come_at_once_and_a_wait_is_as_long_as_needed(
    limit: int, pause: float
) -> None:
    clock = Clock()
    limiter = RateLimit(limit, clock)
    assert [limiter.take("ada") for _ in range(limit)] == [0.0] * limit
    clock.now += min(pause, 60 / limit / 3)
    wait = limiter.take("ada")
    assert 0 < wait <= 60 / limit + 1e-6
    clock.now += wait * 0.2
    assert 0 < limiter.take("ada") < wait, "to be refused costs nothing"
    clock.now += wait * 0.8 + 1e-6
    assert limiter.take("ada") == 0.0
    assert limiter.take("ada") > 0


def test_callers_do_not_share() -> None:
    limiter = RateLimit(1, Clock())
    assert limiter.take("ada") == 0.0
    assert limiter.take("ada") == 60.0
    assert limiter.take("bob") == 0.0


def test_zero_is_no_limit() -> None:
    limiter = RateLimit(0, Clock())
    assert {limiter.take("ada") for _ in range(10_000)} == {0.0}


def test_callers_who_are_gone_are_forgotten() -> None:
    clock = Clock()
    limiter = RateLimit(60, clock)
    for number in range(100_000):
        clock.now += 0.01
        assert limiter.take(number) == 0.0
        assert len(limiter._whole_at) <= 1025


def test_callers_who_are_not_gone_are_not_forgotten() -> None:
    limiter = RateLimit(1, Clock())
    assert {limiter.take(number) for number in range(5000)} == {0.0}
    assert {limiter.take(number) for number in range(5000)} == {60.0}
