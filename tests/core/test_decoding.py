"""Text in an encoding that has to be found, cut into blocks anywhere."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.decoding import Encoding, NotText, decoded, encoding_named
from assay.core.errors import Invalid

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def cut(data: bytes, size: int) -> list[bytes]:
    """Blocks of a size; the first is long enough to look at."""
    first = max(size, 64)
    return [data[:first], *(data[i : i + size] for i in range(first, len(data), size))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_it_is_found_wherever_the_blocks_end(encoding: str, size: int) -> None:
    text = "a plain beginning of some length, then Größe 😀, and on and on\n" * 20
    assert "".join(decoded(cut(text.encode(encoding), size))) == text


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_is_not_utf_8_is_windows_1252(size: int) -> None:
    text = "nothing but ASCII for quite a while, and only then 5 € für Zoë\n" * 3
    assert "".join(decoded(cut(text.encode("cp1252"), size))) == text


@given(text=TEXT, size=st.integers(1, 9), encoding=st.sampled_from(list(Encoding)[:4]))
def test_any_text_in_a_known_encoding(text: str, size: int, encoding: Encoding) -> None:
    text = text.removeprefix("\ufeff")
    data = text.encode(encoding)
    blocks = [data[i : i + size] for i in range(0, len(data), size)]
    assert "".join(decoded(blocks, encoding)) == text


@pytest.mark.parametrize(
    ("blocks", "encoding", "byte"),
    [
        ([b"abc\xff"], Encoding.utf_8, 3),
        ([b"abc", b"d\xc3", b"(x"], Encoding.utf_8, 4),
        ([b"abc\xe2\x82"], Encoding.utf_8, 3),
        ([b"abc", b"\x81"], None, 3),
        ([b"a\0b\0", b"c"], Encoding.utf_16_le, 4),
    ],
)
def test_the_first_wrong_byte_is_named(
    blocks: list[bytes], encoding: Encoding | None, byte: int
) -> None:
    with pytest.raises(NotText) as caught:
        list(decoded(blocks, encoding))
    assert caught.value.errors[0].place == f"byte {byte}"
    assert ("Say which" in caught.value.detail) == (encoding is None)


def test_marks_and_nothing() -> None:
    assert list(decoded([])) == []
    assert "".join(decoded([codecs.BOM_UTF8 + b"x"])) == "x"
    assert "".join(decoded([codecs.BOM_UTF16_BE + "x".encode("utf-16-be")])) == "x"


@pytest.mark.parametrize("blocks", [[b"text"], [b"t", b"ext"], ["text".encode("utf-16-le")]])
def test_utf_16_without_a_mark_asks_which_it_is(blocks: list[bytes]) -> None:
    with pytest.raises(NotText, match="utf-16-le or utf-16-be"):
        list(decoded(blocks, Encoding.utf_16))


def test_encodings_go_by_many_names() -> None:
    assert encoding_named("latin1") is Encoding.windows_1252
    assert encoding_named("US-ASCII") is Encoding.utf_8
    assert encoding_named("UTF8") is Encoding.utf_8
    assert encoding_named("utf-16LE") is Encoding.utf_16_le
    for name in ("koi8-r", "rot13", "nonsense", ""):
        with pytest.raises(Invalid):
            encoding_named(name)
