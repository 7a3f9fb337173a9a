# Written by `make client` from assay/client/asynchronous/waiting.py: change that.

"""Waits for something on the server to end, also while the server is away for a while."""

import math
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from assay.client.concurrency import pause
from assay.client.errors import ServerUnavailable, TimedOut

T = TypeVar("T")

AWAY_SECONDS = 2.0


def until_ended(
    look: Callable[[float], T],
    has_ended: Callable[[T], bool],
    *,
    pauses: Iterator[float],
    timeout: float | None,  # its end is told with what was seen last
    told: Callable[[T], str],
) -> T:
    """What `look` gives once that has ended.

    A server that goes away is waited for, if it was there the first time.

    Args:
        look: takes the seconds that are left.
        has_ended: whether something has.
        pauses: seconds between one look and the next.
        timeout: seconds in all; None for as long as it takes.
        told: how something stands, for the error.

    Raises:
        TimedOut: it goes on for longer.
    """
    until = math.inf if timeout is None else time.monotonic() + timeout
    seen: T | None = None
    while True:
        try:
            seen = look(max(0.0, until - time.monotonic()))
        except ServerUnavailable:
            if seen is None:
                raise
            seconds = AWAY_SECONDS
        else:
            if has_ended(seen):
                return seen
            seconds = next(pauses)
        left = until - time.monotonic()
        if left <= 0:
            raise TimedOut(f"Not at its end after {timeout:g} s: {told(seen)}")
        pause(min(seconds, left))
