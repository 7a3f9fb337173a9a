"""Read the file of a multipart/form-data body while it comes in; no more of it is kept."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from assay.apps.files.names import read_name
from assay.core.errors import FieldFault, Invalid

if TYPE_CHECKING:
    # It exists for type checkers alone.
    from python_multipart.multipart import MultipartCallbacks

FIELD = b"file"
# A name of 4,000 characters, each written as four bytes, and what stands around it.
LONGEST_HEADER = 17_000


class UploadInvalid(Invalid):
    """Takes multipart/form-data with one file, in the field `file`."""

    code = "upload_invalid"

    def __init__(self, message: str | None = None) -> None:
        """Say what is wrong with the field."""
        place = FieldFault("body.file", message or "One file is needed")
        super().__init__(errors=[place])


class UploadBrokenOff(Invalid):
    """The request ended before the file did, so nothing was stored."""

    code = "upload_broken_off"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A part has begun: the file, with its name and type, or another field (`None`)."""

    name: str | None
    declared_type: str | None


class Incoming:
    """A file on its way in: its name and type are known, its bytes come from `read`."""

    def __init__(self, parts: AsyncIterator[_Opened | bytes], opened: _Opened) -> None:
        """Take what comes after the headers of the file."""
        assert opened.name is not None
        self.name = opened.name
        self.declared_type = opened.declared_type
        self._parts = parts

    async def read(self, head: bytearray, head_bytes: int) -> AsyncIterator[bytes]:
        """The bytes of the file; the first `head_bytes` of them are put into `head` as well.

        Raises:
            UploadBrokenOff, UploadInvalid: the body has no right end, or has two files.
        """
        inside = True
        async for part in self._parts:
            if isinstance(part, _Opened):
                inside = False
                if part.name is not None:
                    raise UploadInvalid("Only one file at a time")
            elif inside:
                if len(head) < head_bytes:
                    head += part[: head_bytes - len(head)]
                yield part


async def receive(content_type: str, body: AsyncIterator[bytes]) -> Incoming:
    """Read a body as far as to where its file begins.

    Raises:
        UploadInvalid: it is not multipart/form-data, or has no file.
        UploadBrokenOff: it ended.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise UploadInvalid("Takes multipart/form-data with a boundary")
    parts = _parts(boundary, body)
    async for part in parts:
        if isinstance(part, _Opened) and part.name is not None:
            return Incoming(parts, part)
    raise UploadInvalid


async def _parts(boundary: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[_Opened | bytes]:
    found = _Found()
    try:
        parser = MultipartParser(boundary, found.callbacks(), max_header_size=LONGEST_HEADER)
        async for block in body:
            parser.write(block)
            while found.parts:
                yield found.parts.popleft()
        parser.finalize()
    except ClientDisconnect:
        raise UploadBrokenOff from None
    except FormParserError as error:
        raise UploadInvalid(f"Not valid multipart/form-data: {error}") from None
    if not found.ended:
        raise UploadBrokenOff


class _Found:
    """What the parser has found in the last block."""

    def __init__(self) -> None:
        self.parts: deque[_Opened | bytes] = deque()
        self.ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = bytearray(), bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._opened,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _opened(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if options.get(b"name") != FIELD:
            self.parts.append(_Opened(None, None))
            return
        filename = options.get(b"filename")
        if not filename:
            raise UploadInvalid("Takes a file, with a file name")
        declared = self._headers.get(b"content-type")
        kind = declared.decode("latin-1") if declared else None
        self.parts.append(_Opened(read_name(filename), kind))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts.append(data[start:end])

    def _end(self) -> None:
        self.ended = True
