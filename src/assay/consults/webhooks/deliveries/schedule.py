"""When a delivery that failed is tried again."""

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

PAUSES: Sequence[timedelta] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between the first attempt and the second, and so on."""
MAX_ATTEMPTS = len(PAUSES) + 1
LONGEST_WAIT = timedelta(days=1)
GIVE_UP_AFTER = timedelta(days=5)
"""An endpoint that has failed for so long, without one success, is disabled."""
JITTER = 0.1
_SECONDS = re.compile(r"[0-9]{1,10}")


def pause_after(attempts: int, asked_for: timedelta | None) -> timedelta | None:
    """How long to wait after so many attempts; `None` after the last one.

    Args:
        attempts: how many there were, from 1.
        asked_for: what the receiver asked for at least.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    pause = PAUSES[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # spreads load, hides nothing
    return max(pause, asked_for or timedelta())


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What `Retry-After` asks for, in seconds or as a date, a day at most; `None` where nothing."""
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(timedelta(seconds=int(value)), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta()), LONGEST_WAIT)
