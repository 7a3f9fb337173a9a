"""Output that is cut in the middle."""

from hypothesis import given
from hypothesis import strategies as st

from assay.agents.sandboxes.providers.cutting import CutOutput


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 200))
def test_head_and_tail_are_kept_however_it_comes(pieces: list[bytes], most: int) -> None:
    cut, whole = CutOutput(most), b"".join(pieces)
    for piece in pieces:
        cut.add(piece)
    output = cut.output()
    assert cut.total == len(whole)
    assert cut.dropped == max(0, len(whole) - most)
    if len(whole) <= most:
        assert output == whole
        return
    head, note, tail = whole[: most // 2], f"{cut.dropped} bytes left out", most - most // 2
    assert output.startswith(head)
    assert output.endswith(whole[len(whole) - tail :])
    assert note.encode() in output
    assert cut.output() == output


def test_it_holds_no_more_than_it_keeps() -> None:
    cut = CutOutput(1000)
    for _ in range(10_000):
        cut.add(b"x" * 1000)
        assert len(cut._head) + len(cut._tail) <= 2000
