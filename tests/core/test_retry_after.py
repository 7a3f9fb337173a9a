"""Retry-After in all the ways in which it comes."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.retry_after import read_retry_after

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("1.5", 1.5),
        ("99999999", 99999999),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0),
        ("Thu, 26 Nov 2026 12:02:00 -0000", 120),
        ("Thu, 26 Nov 2026 13:02:00 +0100", 120),
        ("Thursday, 26-Nov-26 12:02:00 GMT", 120),
    ],
)
def test_it_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert read_retry_after(value, NOW) == seconds


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "inf", "nan", "1e3", "9" * 5000, "٣"])
def test_what_is_neither_asks_for_nothing(value: str | None) -> None:
    assert read_retry_after(value, NOW) is None


@given(st.text())
def test_any_text_is_a_wait_or_nothing(value: str) -> None:
    seconds = read_retry_after(value, NOW)
    assert seconds is None or seconds >= 0
