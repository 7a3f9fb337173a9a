"""When a call is made again, and after how long."""

import random
from dataclasses import dataclass

import httpx2

from assay.client.errors import ClientError
from assay.client.wire import Call

LONGEST_WAIT = 60.0
_FIRST_WAIT = 0.25
_STATUSES = {429, 502, 503, 504}
_NOTHING_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_BROKEN_OFF = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is made again: `limit` times after the first."""

    limit: int

    def wait(self, call: Call, error: ClientError, attempt: int) -> float | None:
        """Seconds to wait before the call is made again; None where it is not.

        A call that could have its effect twice is made again only where nothing was sent. A
        server that wants to be left alone for over a minute is left alone.

        Args:
            call: what was asked.
            error: what came of it.
            attempt: which attempt that was, from 1.
        """
        if attempt > self.limit or not _may_repeat(call, error):
            return None
        if error.retry_after is None:
            return random.uniform(0.5, 1) * min(_FIRST_WAIT * 2.0**attempt, LONGEST_WAIT)  # noqa: S311  # spreads callers, keeps no secret
        if error.retry_after > LONGEST_WAIT:
            return None
        # Not before it was said, and not all at the same moment.
        return error.retry_after + random.uniform(0, 0.1)  # noqa: S311  # as above


def _may_repeat(call: Call, error: ClientError) -> bool:
    fault = error.__cause__
    if isinstance(fault, _NOTHING_SENT):
        return True
    if isinstance(fault, httpx2.RequestError):
        return call.repeatable and isinstance(fault, _BROKEN_OFF)
    return call.repeatable and error.status in _STATUSES
