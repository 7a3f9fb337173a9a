"""Names of files, as they come from outside and as they go out again.

A name is kept for people, and never used as a path. It comes back as it was, except for what
the column cannot hold: of one that is too long the middle is left out, and NUL becomes U+FFFD.
"""

from urllib.parse import quote

from assay.apps.files.models import LONGEST_NAME

LEFT_OUT = "…"
KEPT_AT_END = 100
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Browsers write these three so, and nothing else (HTML standard, multipart/form-data).
_ESCAPED = (("%0D", "\r"), ("%0A", "\n"), ("%22", '"'))


def read_name(raw: bytes) -> str:
    """The name that the header of a part has."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        name = raw.decode("latin-1")
    for written, meant in _ESCAPED:
        name = name.replace(written, meant)
    name = name.replace("\x00", _REPLACEMENT)
    if len(name) <= LONGEST_NAME:
        return name
    # The end says what kind of file it is.
    start = LONGEST_NAME - KEPT_AT_END - len(LEFT_OUT)
    return name[:start] + LEFT_OUT + name[-KEPT_AT_END:]


def attachment(name: str) -> str:
    """The header Content-Disposition to save a file by this name (RFC 6266).

    Old readers, which do not know RFC 5987, get one without what is not ASCII.
    """
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " ._-") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
