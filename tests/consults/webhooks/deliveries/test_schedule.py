"""When a delivery is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.consults.webhooks.deliveries.schedule import (
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    asked_for,
    pause_after,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECONDS = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


@pytest.mark.parametrize(("attempts", "seconds"), list(enumerate(SECONDS, start=1)))
def test_pauses_grow_and_are_spread(attempts: int, seconds: float) -> None:
    pauses = {pause_after(attempts, None) for _ in range(50)}
    assert len(pauses) > 40
    for pause in pauses:
        assert pause is not None
        assert 0.9 * seconds <= pause.total_seconds() <= 1.1 * seconds


def test_after_ten_attempts_there_is_none() -> None:
    assert MAX_ATTEMPTS == 10
    assert pause_after(10, timedelta(seconds=1)) is None


@given(st.integers(1, 9), st.integers(0, 86400))
def test_it_is_never_sooner_than_asked_for(attempts: int, seconds: int) -> None:
    pause = pause_after(attempts, timedelta(seconds=seconds))
    assert pause is not None
    assert pause.total_seconds() >= max(seconds, 0.9 * SECONDS[attempts - 1])


@given(st.text())
def test_whatever_comes_is_a_wait_of_a_day_at_most_or_nothing(value: str) -> None:
    wait = asked_for(value, NOW)
    assert wait is None or timedelta() <= wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("99999999", 86400),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 86400),
    ],
)
def test_a_receiver_is_left_alone_for_a_day_at_most(value: str, seconds: float) -> None:
    assert asked_for(value, NOW) == timedelta(seconds=seconds)
