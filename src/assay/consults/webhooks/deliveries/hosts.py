"""How many attempts one worker has in hand, in all and to one host."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

MAX_IN_HAND = 32
MAX_TO_HOST = 8
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 900.0
FORGET_SECONDS = 60.0


class Busy(Exception):  # a signal, not an error
    """There is no room for one more; come back after `wait`."""

    def __init__(self, wait: timedelta) -> None:
        """Say how long to wait."""
        super().__init__()
        self.wait = wait


@dataclass(slots=True)
class _Host:
    in_hand: int = 0
    # How long an attempt takes, as of late.
    seconds: float = 0.0
    # When the last of those that were turned away comes back.
    promised_until: float = 0.0
    used_at: float = 0.0


class Hosts:
    """Attempts in hand.

    A receiver that hangs has at most `MAX_TO_HOST` of them, so that the others have room. What
    finds no room is told when to come back: one after the other, at the pace at which the host
    takes them. Thousands for a host that hangs then neither crowd the line of jobs, which is worked
    off in order, nor keep the database busy with being put back.
    """

    def __init__(self) -> None:
        """Begin with nothing in hand."""
        self._hosts: dict[str, _Host] = {}
        self._in_hand = 0

    def has_room(self) -> bool:
        """Whether this worker takes one more attempt, to whatever host."""
        return self._in_hand < MAX_IN_HAND

    @contextlib.contextmanager
    def attempt(self, host: str) -> Iterator[None]:
        """Have one attempt to `host` in hand.

        Raises:
            Busy: there is no room.
        """
        self._forget()
        state = self._hosts.setdefault(host, _Host())
        state.used_at = time.monotonic()
        if not self.has_room():
            raise Busy(timedelta(seconds=SHORTEST_WAIT))
        if state.in_hand >= MAX_TO_HOST:
            raise Busy(timedelta(seconds=_promise(state)))
        state.in_hand += 1
        self._in_hand += 1
        begun = time.monotonic()
        try:
            yield
        finally:
            state.in_hand -= 1
            self._in_hand -= 1
            state.used_at = time.monotonic()
            state.seconds += (state.used_at - begun - state.seconds) / 4

    def _forget(self) -> None:
        if len(self._hosts) > 10 * MAX_IN_HAND:
            old = time.monotonic() - FORGET_SECONDS
            self._hosts = {
                name: host
                for name, host in self._hosts.items()
                if host.in_hand or max(host.used_at, host.promised_until) > old
            }


def _promise(host: _Host) -> float:
    """The seconds until the host has room for one more, behind those that wait already."""
    now = time.monotonic()
    first = max(host.promised_until, now + SHORTEST_WAIT)
    host.promised_until = min(first + host.seconds / MAX_TO_HOST, now + LONGEST_WAIT)
    return host.promised_until - now
