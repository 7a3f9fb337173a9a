"""The header Retry-After (RFC 9110, section 10.2.3): a number of seconds, or a date."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# The standard knows whole seconds only, but servers send fractions too.
_SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]+)?")


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """How many seconds a Retry-After asks to wait; 0 for a date that has passed.

    Args:
        value: of the header, as it came.
        now: from when a date is counted.

    Returns:
        `None` where there is no such header, or what it says means nothing.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        # Dates of HTTP are in universal time, also where they do not say so.
        wait = moment.replace(tzinfo=moment.tzinfo or UTC) - now
    except (ValueError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())
