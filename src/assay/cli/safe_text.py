"""Text of models, programs and repositories, made fit for a terminal.

A terminal obeys what is written to it: sequences in a command's output could hide what was done,
or turn a question into another one.
"""

import re

_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
# Beside what Python calls printable: what holds emoji together, and wide spaces.
_HARMLESS = frozenset("\n\t\u200d\u00a0\u3000")


def safe(text: str) -> str:
    """The text with everything that a terminal could take for an order written out."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _HARMLESS else _written_out(each) for each in text
    )


def plain(text: str) -> str:
    """As `safe`, without colours and the like, for the output of programs."""
    return safe(_SEQUENCES.sub("", text))


def last_state(line: str) -> str:
    """What is left of a line that was written over, as progress bars are."""
    return line.rstrip("\r").rpartition("\r")[2]


def first_line(text: str, width: int) -> str:
    """The first line, cut to `width` characters; an ellipsis where there is more."""
    line, _, rest = text.strip().partition("\n")
    cut = line if len(line) <= width else line[: width - 1]
    return f"{cut} …" if rest or cut != line else line


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
