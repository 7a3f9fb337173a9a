"""A limit on how often each of many callers may ask, held in this process."""

import time
from collections.abc import Callable, Hashable


class RateLimit:
    """So many requests a minute for each caller, with a whole minute's worth at once.

    It keeps one moment for each caller, when their allowance is whole again (the generic cell
    rate algorithm), and forgets those whose is.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_minute`: 0 for no limit."""
        self._every = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._whole_at: dict[Hashable, float] = {}
        self._tidy_at = 1024

    def take(self, caller: Hashable) -> float:
        """Count a request; gives 0, or the seconds that the caller has to wait before it."""
        if not self._every:
            return 0.0
        now = self._clock()
        whole_at = max(self._whole_at.get(caller, now), now) + self._every
        if whole_at > now + 60.0 + self._every / 2:
            return whole_at - now - 60.0
        self._whole_at[caller] = whole_at
        if len(self._whole_at) > self._tidy_at:
            self._whole_at = {key: at for key, at in self._whole_at.items() if at > now}
            self._tidy_at = max(1024, 2 * len(self._whole_at))
        return 0.0
