"""Exact replacement of text, with errors that help to get it right."""

from difflib import SequenceMatcher

from pydantic_ai.exceptions import ToolFailed

_NAMED = 10
# Above this the comparison of all windows takes too long; then only the first line is looked for.
_WINDOWS = 20_000


def replaced(content: str, old: str, new: str, *, everywhere: bool) -> tuple[str, int]:
    """A text with `old` replaced, and how often it was.

    Raises:
        ToolFailed: `old` is not there, with the place that is most like it; or it is there more
            than once, with the places, and that was not asked for.
    """
    found = content.count(old)
    if found == 0:
        raise ToolFailed(_not_found(content, old))
    if found > 1 and not everywhere:
        lines = ", ".join(map(str, _places(content, old)[:_NAMED]))
        raise ToolFailed(
            f"the old text is there {found} times, at the lines {lines}"
            f"{', ...' if found > _NAMED else ''}; take more of the text around the one you mean, "
            "or set replace_all"
        )
    return content.replace(old, new), found


def _places(content: str, old: str) -> list[int]:
    places, start = [], content.find(old)
    while start >= 0:
        places.append(content.count("\n", 0, start) + 1)
        start = content.find(old, start + len(old))
    return places


def _not_found(content: str, old: str) -> str:
    lines, wanted = content.split("\n"), old.strip("\n").split("\n")
    fault = "the old text is not there"
    loose = [line.strip() for line in wanted]
    for start in range(len(lines) - len(wanted) + 1):
        window = lines[start : start + len(wanted)]
        if [line.strip() for line in window] == loose:
            what = "with other spaces at the beginning or end of its lines"
            return f"{fault} as it stands, but {what}:\n{_shown(window, start + 1)}"
    nearest = _nearest(lines, wanted)
    if nearest is None:
        return f"{fault}, nor anything like it; read the file first"
    start = nearest
    return f"{fault}; most like it is:\n{_shown(lines[start : start + len(wanted)], start + 1)}"


def _nearest(lines: list[str], wanted: list[str]) -> int | None:
    """Where the lines that are most like the wanted ones begin, counted from 0."""
    best, place = 0.5, None
    matcher = SequenceMatcher(autojunk=False)
    # A matcher keeps what it learns of its second text, so that one stays.
    matcher.set_seq2(wanted[0].strip())
    anchors = []
    for number, line in enumerate(lines[:_WINDOWS]):
        matcher.set_seq1(line.strip())
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            anchors.append((matcher.ratio(), number))
    for _, number in sorted(anchors, reverse=True)[:_NAMED]:
        window = "\n".join(lines[number : number + len(wanted)])
        ratio = SequenceMatcher(None, window, "\n".join(wanted), autojunk=False).ratio()
        if ratio > best:
            best, place = ratio, number
    return place


def _shown(lines: list[str], first: int) -> str:
    return "\n".join(f"{number:>6}\t{line}" for number, line in enumerate(lines[:40], first))
