import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.treebank import treebank_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t\u00a0\ufeff", []),
        ("Good muffins cost $3.88.", ["Good", "muffins", "cost", "$", "3.88", "."]),
        ("in New York. Please.", ["in", "New", "York.", "Please", "."]),
        ("at 10:30, 1,000: yes", ["at", "10:30", ",", "1,000", ":", "yes"]),
        ("a.m.", ["a.m."]),
        ("It's at 5 p.m.", ["It", "'s", "at", "5", "p.m."]),
        ("wait... what?!", ["wait", "...", "what", "?", "!"]),
        ("(a) [b] {c} <d>", ["(", "a", ")", "[", "b", "]", "{", "c", "}", "<", "d", ">"]),
        ("one--two; 50%", ["one", "--", "two", ";", "50", "%"]),
        ("don't they'll I've", ["do", "n't", "they", "'ll", "I", "'ve"]),
        ("the dogs' bowl", ["the", "dogs", "'", "bowl"]),
        ("cannot gonna Gimme", ["can", "not", "gon", "na", "Gim", "me"]),
        ("'tis d'ye", ["'t", "is", "d", "'ye"]),
        ("scannot", ["scannot"]),
        ('"Go," he said.', ["``", "Go", ",", "''", "he", "said", "."]),
        ('say "a" and "b"', ["say", "``", "a", "''", "and", "``", "b", "''"]),
        ("``a''", ["``", "a", "''"]),
        ("die Straße — schön", ["die", "Straße", "—", "schön"]),
    ],
)
def test_words_follow_the_conventions(text: str, words: list[str]) -> None:
    assert treebank_words(text) == words


@given(st.text())
def test_any_text_has_words_without_spaces_in_them(text: str) -> None:
    words = treebank_words(text)
    assert all(word and " " not in word for word in words)
    kept = "".join(words).replace("``", '"').replace("''", '"')
    assert len(kept) <= len(text) + text.count("'")


def test_a_long_text_takes_no_longer_for_each_word() -> None:
    text = """He said: "I'm gonna pay $1,000.50 -- (or not)..." """
    assert len(treebank_words(text * 5000)) >= 5000 * 10
