"""The header Range of a request: which bytes of a file are wanted (RFC 9110, section 14)."""

import re

from assay.core.errors import AssayError

_ONE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.IGNORECASE)


class RangeNotSatisfiable(AssayError):
    """The file has no bytes in this range."""

    status = 416
    code = "range_not_satisfiable"


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Where the wanted bytes start and end (the end is not in it), or `None` for the whole file.

    Several ranges at once, and what is no range at all, are answered with the whole file, which
    the RFC leaves to the server.

    Raises:
        RangeNotSatisfiable: the file ends before the range begins.
    """
    found = _ONE.fullmatch(header or "")
    if found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start = int(first)
        if last and int(last) < start:
            return None
        end = min(int(last) + 1, size) if last else size
    if start >= end:
        raise RangeNotSatisfiable
    return start, end
