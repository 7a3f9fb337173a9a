"""Files on their way: what is sent of them, and what is checked when they arrive."""

import mimetypes
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from assay.client.errors import Misconfigured
from assay.playground.datasets.imports.schemas import FileFormat

Source = str | os.PathLike[str] | BinaryIO
Target = str | os.PathLike[str] | BinaryIO

_FORMATS = {
    ".csv": FileFormat.csv,
    ".tsv": FileFormat.csv,
    ".jsonl": FileFormat.jsonl,
    ".ndjson": FileFormat.jsonl,
}


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The file at a path, closed at the end; an open file is left as it is."""
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            yield file
    else:
        yield source


@contextmanager
def opened_to_write(target: Target) -> Iterator[BinaryIO]:
    """A file that takes the place of what is at a path, if all goes well; or the open one."""
    if not isinstance(target, str | os.PathLike):
        yield target
        return
    part = Path(f"{os.fspath(target)}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def name_of(source: Source) -> str | None:
    """The name of a file without its folder, where it has one."""
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    return Path(path).name if isinstance(path, str | os.PathLike) else None


def format_of(source: Source) -> FileFormat:
    """What the suffix of a file's name says that is in it.

    Raises:
        Misconfigured: it says nothing.
    """
    name = name_of(source) or ""
    found = _FORMATS.get(Path(name).suffix.lower())
    if found is None:
        known = ", ".join(_FORMATS)
        raise Misconfigured(f"Say format= for {name or 'a file without a name'}; known are {known}")
    return found


class Form:
    """A multipart/form-data body with one file, in pieces, so that it is never held whole."""

    def __init__(self, name: str) -> None:
        """Take the name that the file is to have."""
        boundary = secrets.token_hex(16)
        # As browsers write them (HTML standard, multipart/form-data).
        written = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{written}"'
            f"\r\nContent-Type: {kind}\r\n\r\n"
        ).encode()
        self.tail = f"\r\n--{boundary}--\r\n".encode()

    def headers(self, file: BinaryIO) -> dict[str, str]:
        """Of the request; with the length, where that is known, so that a server can refuse it."""
        size = _rest_of(file)
        length = {} if size is None else {"Content-Length": str(self._around + size)}
        return {"Content-Type": self.content_type, **length}

    @property
    def _around(self) -> int:
        return len(self.head) + len(self.tail)


def _rest_of(file: Any) -> int | None:
    """Bytes from where a file stands to its end; None for a pipe and the like."""
    try:
        status = os.fstat(file.fileno())
        return status.st_size - file.tell() if status.st_size else None
    except (OSError, AttributeError):
        return None
