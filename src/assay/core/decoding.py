"""Text that comes as bytes, block by block, in an encoding that has to be found."""

import codecs
from collections.abc import Iterable, Iterator
from enum import StrEnum

from assay.core.errors import FieldFault, Invalid

# So much of the beginning is looked at for UTF-16 without a mark.
SAMPLE = 4096


class Encoding(StrEnum):
    """How text stands in bytes."""

    utf_8 = "utf-8"
    utf_16 = "utf-16"
    utf_16_le = "utf-16-le"
    utf_16_be = "utf-16-be"
    windows_1252 = "windows-1252"


_MARKS = {
    codecs.BOM_UTF8: Encoding.utf_8,
    codecs.BOM_UTF16_LE: Encoding.utf_16,
    codecs.BOM_UTF16_BE: Encoding.utf_16,
}
# As browsers have it, the smaller sets are parts of these.
_NAMES = {
    "ascii": Encoding.utf_8,
    "cp1252": Encoding.windows_1252,
    "iso8859-1": Encoding.windows_1252,
}


class NotText(Invalid):
    """The bytes are not text in the encoding."""

    code = "not_text"


def encoding_named(name: str) -> Encoding:
    """The encoding that somebody calls `name`, as in `charset=latin1`.

    Raises:
        Invalid: it is none of those that are read.
    """
    try:
        found = codecs.lookup(name).name
        return _NAMES.get(found) or Encoding(found)
    except (LookupError, ValueError):
        known = ", ".join(Encoding)
        raise Invalid(f"Text in {name} is not read, only in {known}.") from None


def begins_as_utf_8(block: bytes) -> bool:
    """Whether a file that begins with this may be UTF-8 without a mark."""
    return _at_once(block) is None


def decoded(blocks: Iterable[bytes], encoding: Encoding | None = None) -> Iterator[str]:
    """The text of blocks of bytes, without a byte order mark.

    Without an encoding it is found: by the mark, by the zeros of UTF-16 in the first kilobytes,
    and else, at the first character that is not ASCII, UTF-8 where that is what stands there, or
    Windows-1252.

    Raises:
        NotText: naming the first byte that is wrong.
    """
    given = encoding
    decoder: codecs.IncrementalDecoder | None = None
    place = 0
    for block in blocks:
        if decoder is None:
            if place == 0:
                encoding = encoding or _at_once(block)
            if encoding is None and not block.isascii():
                encoding = _by_content(block)
            decoder = _decoder(encoding) if encoding else None
        yield _decode(decoder, block, place, encoding, given)
        place += len(block)
    if decoder is not None:
        yield _decode(decoder, b"", place, encoding, given, final=True)


def _decode(
    decoder: codecs.IncrementalDecoder | None,
    block: bytes,
    place: int,
    encoding: Encoding | None,
    given: Encoding | None,
    *,
    final: bool = False,
) -> str:
    if decoder is None:
        return block.decode("ascii")
    held = len(decoder.getstate()[0])
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError as error:
        wrong = place - held + error.start
        hint = "" if given else " Say which encoding it is with `encoding`."
        message = f"This is not text in {encoding}: the byte at {wrong:,} is wrong.{hint}"
        raise NotText(message, errors=[FieldFault(f"byte {wrong}", error.reason)]) from None
    except UnicodeError:
        # So says the decoder of UTF-16 whose mark is missing, and only that.
        message = "This has no byte order mark: say whether it is utf-16-le or utf-16-be."
        fault = FieldFault("byte 0", "UTF-16 begins with a mark")
        raise NotText(message, errors=[fault]) from None


def _decoder(encoding: Encoding) -> codecs.IncrementalDecoder:
    name = "utf-8-sig" if encoding is Encoding.utf_8 else encoding.value
    return codecs.getincrementaldecoder(name)()


def _at_once(block: bytes) -> Encoding | None:
    for mark, encoding in _MARKS.items():
        if block.startswith(mark):
            return encoding
    sample = block[:SAMPLE]
    half = len(sample) // 2
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    # Of Latin text in UTF-16 nearly every other byte is zero, and in no other encoding.
    if odd > half * 0.4 and even < half * 0.1:
        return Encoding.utf_16_le
    if even > half * 0.4 and odd < half * 0.1:
        return Encoding.utf_16_be
    return None


def _by_content(block: bytes) -> Encoding:
    try:
        # The last character may go on in the next block.
        codecs.getincrementaldecoder("utf-8")().decode(block)
    except UnicodeDecodeError:
        return Encoding.windows_1252
    return Encoding.utf_8
