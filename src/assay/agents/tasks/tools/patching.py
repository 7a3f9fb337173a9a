"""Unified diffs as models write them, and what git says of those that do not apply."""

import re

_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)", re.MULTILINE)
_FAILED = re.compile(r"^error: patch failed: (.+):(\d+)$", re.MULTILINE)
_MISSED = re.compile(r"^error: while searching for:\n(.*?)(?=^error: )", re.MULTILINE | re.DOTALL)


def is_diff(patch: str) -> bool:
    """Whether this is meant to be a unified diff."""
    return _HUNK.search(patch) is not None or "diff --git" in patch


def recounted(patch: str) -> str:
    """The diff with the counts of lines in its hunks made right: models miscount.

    `git apply --recount` does it too, but takes the head of the next file for lines of the hunk.
    """
    lines = patch.splitlines()
    heads = [
        number
        for number, line in enumerate(lines)
        if line.startswith(("diff --git ", "@@ -"))
        or (line.startswith("--- ") and "".join(lines[number + 1 : number + 2])[:4] == "+++ ")
    ]
    for head, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        if (found := _HUNK.match(lines[head])) is None:
            continue
        hunk = lines[head + 1 : end]
        old = sum(not line.startswith(("+", "\\")) for line in hunk)
        new = sum(not line.startswith(("-", "\\")) for line in hunk)
        lines[head] = f"@@ -{found[1]},{old} +{found[2]},{new} @@{found[3]}"
    return "\n".join(lines) + "\n"


def is_anchored(patch: str) -> bool:
    """Whether each hunk has lines of the file that tell where it belongs, or makes a file."""
    return re.search(r"^@@ -[1-9]\d*,0 ", patch, re.MULTILINE) is None


def refusal(patch: str, output: str) -> str:
    """Which hunk of a patch failed, and why."""
    lines = ["nothing was changed, as the patch does not apply:"]
    for file, line in _FAILED.findall(output):
        number = _hunk_number(patch, file, line)
        lines.append(f"hunk {number} of {file} (at line {line}): its lines are not in the file")
    lines += [f"looked for:\n{missed.rstrip()[:2000]}" for missed in _MISSED.findall(output)]
    if len(lines) == 1:
        faults = [line for line in output.splitlines() if line.startswith(("error:", "fatal:"))]
        lines += faults or [output.strip()[:2000]]
    return "\n".join(lines)


def _hunk_number(patch: str, file: str, line: str) -> int | str:
    """Which hunk of its file begins at this line, counted from 1."""
    for piece in re.split(r"^(?=--- )", patch, flags=re.MULTILINE):
        if file in piece.partition("@@")[0]:
            starts = [start for start, *_ in _HUNK.findall(piece)]
            if line in starts:
                return starts.index(line) + 1
    return "?"
