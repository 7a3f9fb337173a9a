"""Waits for something on the server to end, also while the server is away for a while."""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from assay.client.concurrency import async_pause
from assay.client.errors import ServerUnavailable, TimedOut

T = TypeVar("T")

AWAY_SECONDS = 2.0


async def async_until_ended(
    look: Callable[[float], Awaitable[T]],
    has_ended: Callable[[T], bool],
    *,
    pauses: Iterator[float],
    timeout: float | None,  # noqa: ASYNC109  # its end is told with what was seen last
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
            seen = await look(max(0.0, until - time.monotonic()))
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
        await async_pause(min(seconds, left))
