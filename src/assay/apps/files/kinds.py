"""What kind of file something is: by its first bytes, and not by what is said of it.

A kind that has a signature is what its bytes say. Text has none: there the declared type counts,
if the bytes are text and browsers do not run such files. All else is `application/octet-stream`.
"""

import codecs

import filetype

HEAD_BYTES = 8192
UNKNOWN = "application/octet-stream"
LONGEST = 100

# Text that nothing runs: no HTML, no SVG or other XML, no scripts.
_PLAIN = frozenset(
    {
        "application/json",
        "application/jsonl",
        "application/x-ndjson",
        "application/yaml",
        "text/csv",
        "text/markdown",
        "text/plain",
        "text/tab-separated-values",
        "text/vtt",
    }
)
# What the library calls them, and what the rest of the world does.
_USUAL = {"audio/x-wav": "audio/wav", "audio/x-flac": "audio/flac"}


def kind_of(head: bytes, declared: str | None) -> str:
    """The media type of a file.

    Args:
        head: its first bytes, up to `HEAD_BYTES`.
        declared: what its sender says, if anything.
    """
    said = (declared or "").partition(";")[0].strip().lower()
    found = filetype.guess_mime(head)
    if found is not None:
        found = _USUAL.get(found, found)
        return said if _same_container(said, found) else str(found)
    return said if said in _PLAIN and _is_text(head) else UNKNOWN


def _same_container(said: str, found: str) -> bool:
    """Whether both are recordings in one format: WebM, MP4 and Ogg hold sound as well as film."""
    kinds = {said.partition("/")[0], found.partition("/")[0]}
    return kinds <= {"audio", "video"} and said.partition("/")[2] == found.partition("/")[2]


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut in two.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return False
    return b"\x00" not in head
