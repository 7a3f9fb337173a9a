"""A limit on how many may be in flight at once, which can change at any time."""

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Self


class Slots:
    """A fair semaphore whose limit moves.

    Two ceilings make the limit, the lower one counts: `allowance`, set from outside (what this
    process may use of a limit held over all workers), and `cap`, set by the adaptive pace.
    Waiters are served first come, first served. Lowering a ceiling stops nobody who has a slot;
    at 0 nobody starts until it is raised again.

    Attributes:
        share: the part (0 to 1) of a limit held over all workers that is this process's; rates
            (requests and tokens a minute) are scaled by it.
        in_flight: slots taken now.
    """

    __slots__ = ("_allowance", "_cap", "_limit", "_waiters", "in_flight", "share")

    def __init__(self, limit: int) -> None:
        """Start with `limit` as the allowance and no cap."""
        self.share = 1.0
        self.in_flight = 0
        self._allowance = self._limit = _not_negative(limit)
        self._cap: int | None = None
        self._waiters: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    @property
    def limit(self) -> int:
        """How many may be in flight now: the lower of `allowance` and `cap`."""
        return self._limit

    @property
    def allowance(self) -> int:
        """The ceiling set from outside."""
        return self._allowance

    @allowance.setter
    def allowance(self, value: int) -> None:
        self._allowance = _not_negative(value)
        self._move()

    @property
    def cap(self) -> int | None:
        """The ceiling set by the adaptive pace; `None` when it sets none."""
        return self._cap

    @cap.setter
    def cap(self, value: int | None) -> None:
        self._cap = None if value is None else _not_negative(value)
        self._move()

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiters)

    def try_acquire(self) -> bool:
        """Take a slot if one is free and nobody is ahead; never waits."""
        if self._waiters or self.in_flight >= self._limit:
            return False
        self.in_flight += 1
        return True

    async def acquire(self) -> None:
        """Take a slot, waiting in line for it."""
        if self.try_acquire():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._waiters.pop(waiter, None)
            else:  # the slot was handed over in the moment of the cancel
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back; the first in line gets it."""
        self.in_flight -= 1
        self._hand_out()

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _move(self) -> None:
        cap = self._cap
        self._limit = self._allowance if cap is None else min(self._allowance, cap)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiters and self.in_flight < self._limit:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(None)


def _not_negative(limit: int) -> int:
    if limit < 0:
        raise ValueError(f"a limit is 0 or more, not {limit}")
    return limit
