"""Words of a text by the conventions of the Penn Treebank.

Robert MacIntyre, "Treebank tokenization" (1995), the sed script of the Penn Treebank: marks are
words of their own, `don't` is `do n't`, `"so"` is two kinds of quotation marks around `so`. Where
that leaves room, this follows js-rouge 3.2, which promptfoo's `rouge-n` counts with: a comma or
colon before a digit stays (`1,000`, `10:30`), and only the last full stop of the text is a word,
unless it belongs to an abbreviation such as `a.m.`.
"""

import re
import unicodedata

# White space as JavaScript has it, and the next-line character.
_SPACES = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")
_QUOTE = re.compile("``|''|\"")
_OPENING = " `` "
_CLOSING = " '' "
_WORD = r"[\w\u200c\u200d]"

_MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\.{3}"), " ... "),
    (re.compile(r"[:,](?!\d)"), r" \g<0> "),
    (re.compile(r"[;@#$%&]"), r" \g<0> "),
    (re.compile(r"([^.])(?<!\b[A-Za-z]\.[A-Za-z])(\.)([\])}>' ]*)\Z", re.ASCII), r"\1 \2\3 "),
    (re.compile(r"[?!]"), r" \g<0> "),
    (re.compile(r"[\][(){}<>]"), r" \g<0> "),
    (re.compile(r"--"), " -- "),
)
# These count on a space at both ends of the text.
_ENDINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"([^'])' "), r"\1 ' "),
    (re.compile(r"'([sSmMdD]) "), r" '\1 "),
    (re.compile(r"('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "), r" \1 "),
)
_CONTRACTED = (
    ("can", "not", ""),
    ("d", "'ye", ""),
    ("gim", "me", ""),
    ("gon", "na", ""),
    ("got", "ta", ""),
    ("lem", "me", ""),
    ("more", "'n", ""),
    ("wan", "na", "(?= )"),
    ("'t", "is", ""),
    ("'t", "was", ""),
)
_CONTRACTIONS = tuple(
    re.compile(rf"(?<!{_WORD})({first})({second}){after}(?!{_WORD})", re.IGNORECASE)
    for first, second, after in _CONTRACTED
)


def treebank_words(text: str) -> list[str]:
    """The words and marks of a text in their order; case is kept.

    Takes time in proportion to the text.
    """
    text = _SPACES.sub(" ", text).strip(" ")
    if not text:
        return []
    text = _with_quotes(text)
    for pattern, apart in _MARKS:
        text = pattern.sub(apart, text)
    text = f" {text} "
    for pattern, apart in _ENDINGS:
        text = pattern.sub(apart, text)
    for pattern in _CONTRACTIONS:
        text = pattern.sub(r" \1 \2 ", text)
    return [word for word in text.split(" ") if word]


def _with_quotes(text: str) -> str:
    """The text with its double quotation marks as opening and closing ones."""
    parts = []
    end = 0
    inside = False
    marks = list(_QUOTE.finditer(text))
    for number, mark in enumerate(marks):
        following = marks[number + 1][0] if number + 1 < len(marks) else ""
        inside = _opens(text, mark, following, inside)
        parts += [text[end : mark.start()], _OPENING if inside else _CLOSING]
        end = mark.end()
    return "".join(parts) + text[end:]


def _opens(text: str, mark: re.Match[str], following: str, inside: bool) -> bool:
    if mark[0] == "``":
        return True
    before = text[mark.start() - 1] if mark.start() else " "
    if inside or before in ".!?":
        return False
    after_break = before in " <" or unicodedata.category(before) == "Ps"
    after_mark = after_break or unicodedata.category(before).startswith("P")
    at_end = mark.end() == len(text)
    if not after_mark or (at_end and not after_break):
        return False
    # Two apostrophes open a quotation only where two more close it.
    return mark[0] == '"' or (mark.start() > 0 and _begins(text, mark.end()) and following == "''")


def _begins(text: str, place: int) -> bool:
    category = unicodedata.category(text[place]) if place < len(text) else "Zs"
    return category[0] in "LN" or category in {"Sc", "Ps"}
