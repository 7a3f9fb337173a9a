"""A rate limit that spreads starts evenly over the minute."""

import time
from collections.abc import Callable

# The bucket holds this much of a minute's rate, so that at hundreds a second not every single
# start has to wait for a timer.
_BURST_SECONDS = 0.1


class Bucket:
    """A token bucket: so many units a minute, handed out first come, first served.

    It keeps one moment, when the next unit is due (the generic cell rate algorithm), so taking
    costs the same however many wait. In no 60 seconds are more than `per_minute` units handed
    out, but for what one single taking exceeds it by.
    """

    __slots__ = ("_clock", "_due", "_per_minute")

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the rate and the clock, which counts seconds."""
        self._per_minute = per_minute
        self._clock = clock
        self._due = float("-inf")

    def take(self, units: float, share: float = 1.0) -> float:
        """Take `units`, later if need be.

        Args:
            units: how many.
            share: the part of the rate that is this process's, above 0 and up to 1.

        Returns:
            Seconds to wait before using them.
        """
        now = self._clock()
        start = max(self._due, now - _BURST_SECONDS)
        self._due = start + units * (60.0 + _BURST_SECONDS) / (self._per_minute * share)
        return max(0.0, start - now)

    def settle(self, units: float, share: float = 1.0) -> None:
        """Take `units` that were used beyond what was taken; fewer than 0 gives back."""
        self._due += units * (60.0 + _BURST_SECONDS) / (self._per_minute * share)
