"""When a delivery is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.consults.webhooks.deliveries.schedule import (
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    pause_after,
    read_retry_after,
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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("99999999", 86400),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 86400),
        ("Thu, 26 Nov 2026 12:02:00 -0000", 120),
        ("Thursday, 26-Nov-26 12:02:00 GMT", 120),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert read_retry_after(value, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "1e3", "9" * 5000, "٣"])
def test_what_is_neither_asks_for_nothing(value: str | None) -> None:
    assert read_retry_after(value, NOW) is None


@given(st.text())
def test_whatever_comes_is_a_wait_of_a_day_at_most_or_nothing(value: str) -> None:
    wait = read_retry_after(value, NOW)
    assert wait is None or timedelta() <= wait <= LONGEST_WAIT
