"""When a delivery that failed is tried again."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from assay.core.retry_after import read_retry_after

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


def pause_after(attempts: int, at_least: timedelta | None) -> timedelta | None:
    """How long to wait after so many attempts; `None` after the last one.

    Args:
        attempts: how many there were, from 1.
        at_least: what the receiver asked for.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    pause = PAUSES[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # spreads load, hides nothing
    return max(pause, at_least or timedelta())


def asked_for(retry_after: str | None, now: datetime) -> timedelta | None:
    """What a receiver's Retry-After asks for, a day at most; `None` where nothing."""
    seconds = read_retry_after(retry_after, now)
    return None if seconds is None else min(timedelta(seconds=seconds), LONGEST_WAIT)
